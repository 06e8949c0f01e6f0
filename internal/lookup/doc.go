// Package lookup finds out where a path leads a stopped thread of another
// process, as the kernel will look it up (Linux only): in that thread's root,
// working directory, descriptors and mounts.
//
// It begins at the kernel's own objects, /proc/TID/root, /proc/TID/cwd and
// /proc/TID/fd/N, and takes one name at a time with openat(O_PATH|O_NOFOLLOW).
// So the kernel itself crosses mounts, those of another mount namespace
// included, and what "." and "..", symbolic links, the magic links of /proc,
// /proc/self and the RESOLVE_ flags of openat2(2) mean is decided by comparing
// objects (device, inode, mount), never by spelling. See path_resolution(7).
//
// Nothing is opened but O_PATH: no FIFO blocks, no device or automount acts,
// and no access time changes but that of a symbolic link which is read.
//
// Names are looked up with the caller's own rights. Where these are more than
// the thread's, a walk goes on where the kernel refuses the thread with EACCES;
// the names that it reports are then more than those that the kernel looks up,
// never fewer.
package lookup
