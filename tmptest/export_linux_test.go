package tmptest

import (
	"io/fs"
	"os"
)

// Seams for the tests of this package.

// FSType makes an option that takes the file system for one of this statfs
// type, with so much room.
func FSType(kind uint32, freeBytes, freeNodes uint64) Option {
	return option{"FSType", verbDir | verbAudit, func(c *config) {
		c.fsInfo = func(string) (fsInfo, error) {
			return fromType(kind, fsInfo{freeBytes: freeBytes, inodes: freeNodes + 1, freeNodes: freeNodes}), nil
		}
	}}
}

// BetweenListings runs f between the two listings at the end of a test.
func BetweenListings(f func()) Option {
	return option{"BetweenListings", verbDir, func(c *config) { c.listings = f }}
}

// WalkChainAs is the walk of FIO15-C for another user.
func WalkChainAs(uid int, path string) []Violation {
	c := &chain{uid: uid, path: path}
	c.walk(path)
	return c.found
}

// ProbeWith is the probe of E09 with a spoilt open or chmod; nil is the real
// one.
func ProbeWith(dir string, open func(string, int, fs.FileMode) (*os.File, error), chmod func(*os.File, fs.FileMode) error) (string, error) {
	p := realProber
	if open != nil {
		p.open = open
	}
	if chmod != nil {
		p.chmod = chmod
	}
	return p.probe(dir)
}

// RemoveAfterListing lists a directory, runs f and removes it.
func RemoveAfterListing(dir string, f func()) ([]Violation, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	listing := readTree(root, dir, 0, false)
	f()
	return removeTree(root, dir, listing), root.Close()
}

// Checks with given values.
var (
	DirPattern   = dirPattern
	ProtectionIn = protectionIn
	RemoteType   = func(kind uint32) (name string, remote, unsure bool) {
		info := fromType(kind, fsInfo{})
		return info.kind, info.remote, info.unsure
	}
)
