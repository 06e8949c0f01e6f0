/* A handler without SA_RESTART, and signals all the time: calls that never
   fail with EINTR by themselves must not, and an open of a FIFO must. The
   directory is the argument. Exit status: 0, or what was wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void nothing(int sig) { (void)sig; }

static int interrupted;
static void check(const char *call, int result)
{
	if (result == -1 && errno == EINTR) {
		fprintf(stderr, "%s: EINTR\n", call);
		interrupted++;
	}
}

int main(int argc, char **argv)
{
	struct sigaction act;
	struct stat st;
	pid_t parent = getpid(), child;
	if (argc < 2 || chdir(argv[1]) != 0)
		return 2;
	memset(&act, 0, sizeof act);
	act.sa_handler = nothing;
	if (sigaction(SIGUSR1, &act, NULL) != 0 || sigaction(SIGCHLD, &act, NULL) != 0)
		return 3;
	child = fork();
	if (child == 0)
		for (int i = 0; i < 100000; i++) {
			usleep(100);
			if (getppid() != parent)
				_exit(0);
			sigqueue(parent, SIGUSR1, (union sigval){0});
		}
	for (int i = 0; i < 200; i++) {
		int fd = open("f", O_RDWR | O_CREAT, 0600);
		check("open", fd);
		check("close", close(fd));
		check("stat", stat("f", &st));
		check("mkdir", mkdir("d", 0700));
		check("rmdir", rmdir("d"));
		if (i % 10 == 0) {
			pid_t pid = fork();
			check("fork", pid);
			if (pid == 0)
				_exit(0);
			while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
				;
		}
	}
	if (interrupted)
		return 1;
	if (mkfifo("p", 0600) != 0)
		return 4;
	if (open("p", O_WRONLY) != -1 || errno != EINTR)
		return 5;
	kill(child, SIGKILL);
	return 0;
}
