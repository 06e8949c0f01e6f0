// Package failing has a test that fails as it is.
package failing

func positive(n int) bool {
	if n > 0 {
		return true
	}
	return false
}
