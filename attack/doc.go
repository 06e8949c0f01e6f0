// Package attack breaks code that handles temporary files unsafely, and proves
// within stated bounds that other code cannot be broken.
package attack
