/* A C program whose main thread and another thread make calls. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir;

static void *thread(void *unused) {
	char name[4096];
	snprintf(name, sizeof name, "%s/thread", dir);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	return unused;
}

int main(int argc, char **argv) {
	struct stat st;
	pthread_t t;
	char name[4096];
	dir = argv[argc - 1];
	snprintf(name, sizeof name, "%s/main", dir);
	mkdir(name, 0700);
	fstat(0, &st);
	if (pthread_create(&t, NULL, thread, NULL) == 0)
		pthread_join(t, NULL);
	return 0;
}
