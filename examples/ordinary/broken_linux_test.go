package ordinary

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// broken uses: each breaks at least this rule.
var broken = []struct {
	use
	rule rules.Rule
}{
	{use{"sh $$", "rm", `echo x >"$TMPDIR/x.$$"; rm "$TMPDIR/x.$$"`, nil, 0}, rules.X01},
	{use{"sh, umask", "mktemp", `d=$(mktemp -d); chmod 777 "$d"; echo x >"$d/x"; rm -r "$d"`, nil, 0}, rules.X04},
	{use{"mktemp, kept", "mktemp", `echo x >"$(mktemp)"`, nil, 0}, rules.R01},
	{use{"mktemp -u", "mktemp", `umask 077; f=$(mktemp -u); echo x >"$f"; rm "$f"`, nil, 0}, rules.C01},
	{use{"tee", "tee", `echo x | tee "$TMPDIR/log" >/dev/null`, target("log"), 0}, rules.X01},
	{use{"cp", "cp", `echo x >a; cp a "$TMPDIR/out"`, target("out"), 0}, rules.X01},
	{use{"sort -o", "sort", `echo x | sort -o "$TMPDIR/out"`, target("out"), 0}, rules.X01},
	{use{"flock", "flock", `flock "$TMPDIR/lock" true`, target("lock"), 0}, rules.X01},
	{use{"tar", "tar", `echo x >a; tar cf "$TMPDIR/a.tar" a`, target("a.tar"), 0}, rules.X01},
	{use{"curl", "curl", `echo x >a; curl -sS -o "$TMPDIR/out" "file://$HOME/a"`, target("out"), 0}, rules.X01},
	{use{"gcc -S", "gcc", `echo 'int x;' >a.c; gcc -S -o "$TMPDIR/a.s" a.c`, target("a.s"), 0}, rules.X01},
	{use{"sqlite3", "sqlite3", `sqlite3 "$TMPDIR/db" 'create table t(x)'`, target("db"), 0}, rules.X01},
	{use{"perl $$", "perl", `perl -e 'my $n = "$ENV{TMPDIR}/x.$$"; open my $f, ">", $n or die; print $f "x"; close $f; unlink $n'`, nil, 0}, rules.X01},
	{use{"node", "node", `node -e 'const n = require("os").tmpdir() + "/x"; require("fs").writeFileSync(n, "x"); require("fs").unlinkSync(n)'`, nil, 0}, rules.X01},
	{use{"python mktemp", "python3", python(`
os.umask(0o077); name = tempfile.mktemp()
with open(name, "w") as f: f.write("x")
os.unlink(name)`), nil, 0}, rules.C01},
	{use{"python open", "python3", python(`
name = tempfile.gettempdir() + "/x"
with open(name, "w") as f: f.write("x")
os.unlink(name)`), nil, 0}, rules.X01},
}

// TestBroken: what stands beside the correct uses is found.
func TestBroken(t *testing.T) {
	for _, u := range broken {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			need(t, u.needs)
			r := attack.Prove(t, u.victim, u.options(attack.Moves(attack.Symlink), attack.ReportOnly())...)
			var got []string
			for _, f := range r.Findings {
				got = append(got, f.Rule.ID())
			}
			assert.Contains(t, got, u.rule.ID())
		})
	}
}
