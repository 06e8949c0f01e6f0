// Command cgo makes calls from C code.
package main

/*
#cgo LDFLAGS: -lpthread
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern void callback(void);

static void make(const char *name) {
	close(open(name, O_CREAT | O_WRONLY, 0600));
}

static void *thread(void *name) {
	make(name);
	return NULL;
}

static void on_thread(char *name) {
	pthread_t t;
	if (pthread_create(&t, NULL, thread, name) == 0)
		pthread_join(t, NULL);
}

static void in_fork(char *name) {
	pid_t pid = fork();
	if (pid == 0) {
		make(name);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void in_program(const char *name) {
	char command[4096];
	snprintf(command, sizeof command, ": >'%s'", name);
	if (system(command) != 0)
		_exit(9);
}

static void back(void) { callback(); }
extern void again(void);
static void back_again(void) { again(); }
*/
import "C"

import (
	"os"

	"github.com/tmpproof/tmpproof/internal/supervise/testdata/self"
)

var dir string

//export callback
func callback() {
	_ = os.WriteFile(dir+"/callback", nil, 0o600)
}

//export again
func again() {
	C.make(C.CString(dir + "/nested"))
}

func main() {
	self.Main(func(d string) {
		dir = d
		C.make(C.CString(dir + "/c"))
		C.on_thread(C.CString(dir + "/thread"))
		C.in_fork(C.CString(dir + "/fork"))
		C.in_program(C.CString(dir + "/system"))
		C.back()
		C.back_again()
		done := make(chan struct{})
		go func() {
			defer close(done)
			C.make(C.CString(dir + "/goroutine"))
		}()
		<-done
	})
}
