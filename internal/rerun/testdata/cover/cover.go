// Package cover is for the test that what a child covers is in the profile.
package cover

// InParent is called by the test itself.
func InParent() int { return 1 }

// InChild is called by a function that is served in a child.
func InChild() int { return 2 }

// InExited is called by one that ends its process with os.Exit.
func InExited() int { return 3 }

// InKilled is called by one whose process is killed.
func InKilled() int { return 4 }
