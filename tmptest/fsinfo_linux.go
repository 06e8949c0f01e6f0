package tmptest

import "golang.org/x/sys/unix"

// remoteTypes are the f_type values (statfs(2), linux/magic.h) of file systems
// whose data another machine can change, or that do not keep O_EXCL and modes
// by themselves.
var remoteTypes = map[uint32]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.SMB2_SUPER_MAGIC: "SMB2",
	unix.V9FS_MAGIC:       "9p",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.AFS_FS_MAGIC:     "AFS",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.CODA_SUPER_MAGIC: "Coda",
	unix.NCP_SUPER_MAGIC:  "NCP",
	0x0bd00bd0:            "Lustre",
	0x47504653:            "GPFS",
	0x19830326:            "BeeGFS",
	0x20030528:            "OrangeFS",
	0xaad7aaea:            "PanFS",
	0x786f4256:            "vboxsf",
}

func statfs(path string) (fsInfo, error) {
	st, err := readStatfs(path)
	if err != nil {
		return fsInfo{}, err
	}
	return fromType(uint32(st.Type), fsInfo{
		freeBytes: st.Bavail * uint64(st.Bsize),
		inodes:    st.Files,
		freeNodes: st.Ffree,
	}), nil
}

// fromType judges a type.
func fromType(kind uint32, info fsInfo) fsInfo {
	if name, ok := remoteTypes[kind]; ok {
		info.kind, info.remote = name, true
	}
	if kind == unix.FUSE_SUPER_MAGIC {
		info.kind, info.unsure = "FUSE", true
	}
	switch kind {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.TMPFS_MAGIC:
		info.oneDev = true
	}
	return info
}
