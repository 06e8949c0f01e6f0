// Package fsfaketest is a conformance test for any afero.Fs: does it do what
// package os does on Linux?
//
// Each contract of All is one rule that code relies on, with the place where
// the rule stands, or where afero's users missed it. Run makes subtests of all:
//
//	func TestMyFs(t *testing.T) {
//		fsfaketest.Run(t, func(t *testing.T) (afero.Fs, string) {
//			return myfs.New(), "/"
//		})
//	}
//
// The contracts pass on afero.OsFs (Linux, a local file system) and on fsfake;
// afero's MemMapFs breaks half of them, which the test of this package lists.
package fsfaketest
