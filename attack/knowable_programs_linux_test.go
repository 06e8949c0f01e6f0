package attack_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/internal/sample"
)

// A program that prints a name.
type naming struct {
	name    string
	needs   string
	expr    string // of a shell, or the program's text
	chance  bool   // nobody can know it
	compile bool   // in C: an expression of a long
}

var namings = []naming{
	{"process number", "sh", `$$`, false, false},
	{"hash of the process number", "md5sum", `$(echo $$ | md5sum | cut -c1-32)`, false, false},
	{"parent", "sh", `$PPID`, false, false},
	{"seconds", "date", `$(date +%s)`, false, false},
	{"nanoseconds", "date", `$(date +%N)`, false, false},
	{"hash of the time", "sha256sum", `$(date +%s%N | sha256sum | cut -c1-64)`, false, false},
	{"inode", "stat", `$(stat -c %i "$TMPDIR")`, false, false},
	{"host and directory", "md5sum", `$(echo "$(uname -n) $TMPDIR" | md5sum | cut -c1-32)`, false, false},
	{"mktemp", "mktemp", `$(mktemp -u XXXXXXXXXX)`, true, false},
	{"urandom", "od", `$(head -c 8 /dev/urandom | od -An -tx8 | tr -d ' ')`, true, false},
	{"uuid of the kernel", "cat", `$(cat /proc/sys/kernel/random/uuid)`, true, false},
	{"hash of time and chance", "sha256sum", `$( (date +%s%N; head -c 8 /dev/urandom) | sha256sum | cut -c1-64)`, true, false},

	{"bash: time of day", "bash", `bash:$EPOCHREALTIME`, false, false},
	{"bash: seconds", "bash", `bash:$EPOCHSECONDS`, false, false},
	{"bash: RANDOM", "bash", `bash:$RANDOM`, false, false},
	{"bash: RANDOM of the process number", "bash", `bash:$(RANDOM=$$; echo $RANDOM$RANDOM)`, false, false},

	{"python: time", "python3", `import time; print(time.time())`, false, false},
	{"python: hash of the time", "python3", `import time, hashlib; print(hashlib.sha256(str(time.time_ns()).encode()).hexdigest())`, false, false},
	{"python: random of the process number", "python3", `import random, os; print(random.Random(os.getpid()).getrandbits(64))`, false, false},
	{"python: random of the time", "python3", `import random, time; random.seed(time.time()); print("%x" % random.getrandbits(64))`, false, false},
	{"python: random", "python3", `import random; print("%x" % random.getrandbits(64))`, true, false},
	{"python: uuid4", "python3", `import uuid; print(uuid.uuid4())`, true, false},
	{"python: tempfile", "python3", `import tempfile; print(next(tempfile._get_candidate_names()))`, true, false},

	{"perl: process number and time", "perl", `perl:print "$$-", time`, false, false},
	{"perl: srand of the process number", "perl", `perl:srand($$); print rand()`, false, false},
	{"perl: rand", "perl", `perl:print int(rand(2**52))`, true, false},

	{"C: process number", "cc", `(long) getpid() * 2654435761u`, false, true},
	{"C: time", "cc", `time(NULL) ^ 0x5bd1e995`, false, true},
	{"C: rand of time and process number", "cc", `(srand(time(NULL) ^ getpid()), rand())`, false, true},
	{"C: getentropy", "cc", `({ long n; getentropy(&n, sizeof n); n & 0x7fffffffffffffff; })`, true, true},
}

// script is a shell script that sets n to the name.
func (n naming) script(t *testing.T) (shell, script string) {
	t.Helper()
	kind, text, _ := strings.Cut(n.expr, ":")
	switch {
	case n.compile:
		dir := t.TempDir()
		src := "#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <time.h>\n#include <unistd.h>\nint main(void) { printf(\"%lx\\n\", (long) (" + n.expr + ")); return 0; }\n"
		require.NoError(t, os.WriteFile(dir+"/name.c", []byte(src), 0o600))
		out, err := exec.Command("cc", "-o", dir+"/name", dir+"/name.c").CombinedOutput()
		require.NoError(t, err, "%s", out)
		return "sh", "n=$(" + dir + "/name)"
	case kind == "bash":
		return "bash", "n=" + text
	case kind == "perl":
		return "sh", "n=$(perl -e '" + text + "')"
	case n.needs == "python3":
		return "sh", "n=$(python3 -c '" + n.expr + "')"
	}
	return "sh", "n=" + n.expr
}

// TestKnowablePrograms: names that programs make.
func TestKnowablePrograms(t *testing.T) {
	for i, row := range namings {
		for k, use := range nameUses {
			t.Run(row.name+" "+use.name, func(t *testing.T) {
				part := 4
				if sample.Short() {
					part = 24
				}
				if !sample.Long() && (i+k)%part != 0 {
					t.Skip("in the part of the table that this run leaves out")
				}
				if _, err := exec.LookPath(row.needs); err != nil {
					t.Skip(err)
				}
				shell, script := row.script(t)
				script = "umask 077; " + script + `; p=$TMPDIR/app-$n; ` + use.sh
				rep, harmed := proveUse(t, use, func(s *attack.Scene) error {
					cmd := exec.Command(shell, "-c", script)
					cmd.Dir = "/"
					return cmd.Run()
				})
				assert.Equal(t, !row.chance, harmed, "%v", rep.Findings)
			})
		}
	}
}
