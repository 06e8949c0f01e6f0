package regression

import "os"

// rclone 1.59.0 to 1.68.1 copied symbolic links (--links) and then set the
// mode and owner of the original (--metadata) on the name of the copy. That is
// on what the link leads to: a user who had a link to somebody's file in the
// source had that file's mode changed.
//
// GO-2024-3271, CVE-2024-52522, GHSA-hrxh-9w67-g4cv

func copyLinkWithMode(src, dst string) error {
	info, err := os.Lstat(src)
	if err != nil {
		return err
	}
	if err := copyLink(src, dst); err != nil {
		return err
	}
	return os.Chmod(dst, info.Mode().Perm())
}

// The fix: a link has no mode to set.
func copyLink(src, dst string) error {
	to, err := os.Readlink(src)
	if err != nil {
		return err
	}
	return os.Symlink(to, dst)
}
