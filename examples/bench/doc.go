// Package bench measures this module beside its peers. It is a module of its
// own, so that the peers are no dependency of anybody else.
package bench
