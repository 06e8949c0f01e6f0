/* save safe|unsafe FILE: writes a report to FILE by way of a temporary file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *open_unsafe(char *path, size_t n, const char *dir)
{
	snprintf(path, n, "%s/report.%d", dir, (int)getpid());
	return fopen(path, "w+");
}

static FILE *open_safe(char *path, size_t n, const char *dir)
{
	int fd;

	snprintf(path, n, "%s/report.XXXXXX", dir);
	fd = mkstemp(path);
	return fd < 0 ? NULL : fdopen(fd, "w+");
}

int main(int argc, char **argv)
{
	const char *dir = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
	char path[4096], line[64];
	FILE *tmp, *out;

	if (argc != 3)
		return 2;
	tmp = (strcmp(argv[1], "safe") ? open_unsafe : open_safe)(path, sizeof path, dir);
	if (!tmp)
		return 1;
	fputs("report\n", tmp);
	rewind(tmp);
	out = fopen(argv[2], "w");
	if (out && fgets(line, sizeof line, tmp))
		fputs(line, out);
	fclose(tmp);
	unlink(path);
	return out ? fclose(out) != 0 : 1;
}
