//go:build amd64 || arm64

package supervise

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exempt are the calls of Linux that no set has, by the reason. A call that is
// neither here nor in the table is new, and must be looked at.
var exempt = map[string]string{
	"takes no path and makes no file: memory": `mprotect munmap brk mremap msync mincore madvise mlock munlock mlockall
		munlockall mlock2 remap_file_pages mbind set_mempolicy get_mempolicy migrate_pages move_pages pkey_mprotect pkey_alloc pkey_free
		membarrier userfaultfd process_madvise process_mrelease set_mempolicy_home_node cachestat mseal map_shadow_stack
		process_vm_readv process_vm_writev modify_ldt arch_prctl rseq rseq_slice_yield readahead fadvise64`,
	"takes no path and makes no file: time, signals, scheduling": `rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait
		rt_sigqueueinfo rt_sigsuspend rt_tgsigqueueinfo sigaltstack pause nanosleep getitimer alarm setitimer clock_nanosleep clock_gettime
		clock_settime clock_getres clock_adjtime adjtimex gettimeofday settimeofday time times timer_create timer_settime timer_gettime
		timer_getoverrun timer_delete timerfd_create timerfd_settime timerfd_gettime signalfd signalfd4 eventfd eventfd2
		sched_yield sched_setparam sched_getparam sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min
		sched_rr_get_interval sched_setaffinity sched_getaffinity sched_setattr sched_getattr getpriority setpriority ioprio_set ioprio_get
		futex futex_waitv futex_wake futex_wait futex_requeue set_robust_list get_robust_list restart_syscall getcpu`,
	"takes no path and makes no file: the process, its identity, its limits": `getpid getppid gettid getuid getgid geteuid getegid setuid
		setgid setreuid setregid setresuid getresuid setresgid getresgid setfsuid setfsgid getgroups setgroups getpgid getpgrp getsid capget
		capset umask getrlimit setrlimit prlimit64 getrusage sysinfo uname sethostname setdomainname personality prctl exit exit_group wait4
		waitid set_tid_address set_thread_area get_thread_area iopl ioperm ptrace kcmp pidfd_open pidfd_getfd
		seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self lsm_get_self_attr lsm_set_self_attr lsm_list_modules syslog
		add_key request_key keyctl getrandom uretprobe uprobe`,
	"administration that no program under test does, and that needs privilege": `reboot kexec_load kexec_file_load init_module
		finit_module delete_module create_module query_module get_kernel_syms vhangup nfsservctl _sysctl lookup_dcookie perf_event_open bpf`,
	"acts on descriptors, makes no file and changes none": `lseek poll ppoll select pselect6 epoll_create
		epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 epoll_ctl_old epoll_wait_old dup dup2 dup3 pipe pipe2 tee
		vmsplice fstatfs fgetxattr flistxattr inotify_init inotify_init1 inotify_rm_watch fanotify_init quotactl_fd getcwd sync syncfs
		sync_file_range fsopen fsmount statmount listmount listns ustat sysfs`,
	"acts on a descriptor that a listed call has opened; what it may change (FICLONE, FS_IOC_SETFLAGS) shows in the file": `ioctl`,
	"sockets: they take no name": `socket accept accept4 recvfrom recvmsg recvmmsg shutdown listen getsockname getpeername socketpair setsockopt`,
	"an object without a name in the file system": `memfd_create memfd_secret shmget shmat shmctl shmdt semget semop semctl semtimedop msgget
		msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr`,
	"writes through a ring of descriptors (libaio): data only, and no boundary": `io_setup io_destroy io_getevents io_pgetevents io_submit io_cancel`,
	"cannot be had without io_uring_setup, which the filter refuses":            `io_uring_enter io_uring_register`,
	"never implemented, or no longer":                                           `getpmsg putpmsg afs_syscall tuxcall security vserver`,
	"refused with ENOSYS":                                                       `io_uring_setup`,
}

// TestNoCallForgotten compares the table with all calls that x/sys/unix knows
// for this architecture.
func TestNoCallForgotten(t *testing.T) {
	gobin, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command, to find the source of golang.org/x/sys")
	}
	cmd := exec.Command(gobin, "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys")
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off")
	dir, err := cmd.Output()
	if err != nil || len(strings.TrimSpace(string(dir))) == 0 {
		t.Skipf("the source of golang.org/x/sys is not at hand: %v", err)
	}
	src, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+runtime.GOARCH+".go"))
	require.NoError(t, err)
	known := map[string]string{}
	for _, c := range calls() {
		known[c.name] = "in the table"
	}
	for why, names := range exempt {
		for _, name := range strings.Fields(names) {
			assert.NotContains(t, known, name)
			known[name] = why
		}
	}
	all := regexp.MustCompile(`(?m)^\s+SYS_(\w+)\s+=`).FindAllSubmatch(src, -1)
	require.Greater(t, len(all), 250)
	for _, m := range all {
		name := strings.ToLower(string(m[1]))
		if name != "arch_specific_syscall" { // the start of a range, no call
			assert.Contains(t, known, name, "which the supervisor does not know")
		}
	}
}
