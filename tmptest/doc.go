// Package tmptest is the rule book of tmpproof.
package tmptest
