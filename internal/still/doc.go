// Package still holds still what an attacker can know of a program's run, and
// takes what he cannot know from a tape.
//
// Two runs with the same knowledge (the time and the numbers of processes) and
// different chance are equal in all that follows from knowledge, whatever the
// formula, and differ in what follows from chance. That tells a name that can
// be foretold from one that cannot, and makes runs repeatable.
//
//	Clock    the time of a run: it stands still, and goes on by whole seconds
//	         where the program waits for it
//	Tape     what the program is given for chance
//	Numbers  made-up process numbers, the same in each run
//	Image    a program in memory whose clock reads the run's time, without a
//	         system call (Linux on amd64 and arm64)
//
// # The clock of a program
//
// Programs read CLOCK_REALTIME from code that the kernel maps into them, the
// vDSO (vdso(7)). [Hold] writes over its entry points from outside, through
// /proc/PID/mem: the mapping is private, so that nobody else's clock changes.
// CLOCK_REALTIME and CLOCK_REALTIME_COARSE then are a number in that mapping,
// which [Image.Set] changes. gettimeofday and time become the plain system
// calls, for a supervisor to answer, and so does one look in 4,096: who waits
// for the clock in a loop is noticed. All other clocks are the kernel's, by
// system call: timers, deadlines and monotonic time are real.
//
// Hold needs what ptrace(2) needs. A kernel may let only a tracer write over
// what is read-only: then a thread seizes the process, writes, and ends, which
// lets go of it again.
//
// # Limits
//
// The registers that rdtsc and rdrand read, the monotonic clock, and the times
// that the kernel gives to files are real. An absolute time of the held clock
// is in the past for a kernel that is asked to wait until then.
package still
