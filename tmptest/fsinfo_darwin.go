package tmptest

import "golang.org/x/sys/unix"

func statfs(path string) (fsInfo, error) {
	st, err := readStatfs(path)
	if err != nil {
		return fsInfo{}, err
	}
	return fsInfo{
		kind:      unix.ByteSliceToString(st.Fstypename[:]),
		remote:    st.Flags&unix.MNT_LOCAL == 0,
		freeBytes: st.Bavail * uint64(st.Bsize),
		inodes:    st.Files,
		freeNodes: st.Ffree,
	}, nil
}
