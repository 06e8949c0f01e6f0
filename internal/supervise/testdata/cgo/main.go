// Command cgo makes calls from C code.
package main

/*
#cgo LDFLAGS: -lpthread
#include <fcntl.h>
#include <pthread.h>
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

static void back(void) { callback(); }
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

func main() {
	self.Main(func(d string) {
		dir = d
		C.make(C.CString(dir + "/c"))
		C.on_thread(C.CString(dir + "/thread"))
		C.in_fork(C.CString(dir + "/fork"))
		C.back()
	})
}
