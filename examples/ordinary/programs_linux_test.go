package ordinary

import "github.com/tmpproof/tmpproof/attack"

// use is one use of temporary files, as a shell runs it in the victim's home.
type use struct {
	name   string
	needs  string // the programs, and python's or perl's modules after a colon
	script string
	opts   []attack.Option
	also   verbs // besides Prove
}

type verbs int

const (
	faults verbs = 1 << iota
	kills
)

// inside begins a script that works in a directory of its own.
const inside = `d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
cd "$d"
echo one >a; echo two >b
`

// file begins one with a file of its own.
const file = `f=$(mktemp)
trap 'rm -f "$f"' EXIT
`

func target(patterns ...string) []attack.Option { return []attack.Option{attack.Target(patterns...)} }

// correct uses: nothing may be said against these.
var correct = []use{
	// The shell.
	{"mktemp", "mktemp", file + `echo x >"$f"; grep -q x "$f"`, nil, 0}, // mktemp itself leaves the file where close fails
	{"mktemp -d", "mktemp", inside + `cat a b >c; grep -q two c`, nil, 0},
	{"mktemp -d, without more", "mktemp", `d=$(mktemp -d); rmdir "$d"`, nil, kills},
	{"mktemp, mv", "mktemp", `f=$(mktemp); trap 'rm -f "$f"' EXIT; echo x >"$f"; chmod 600 "$f"; mv -fT "$f" "$TMPDIR/out"`, target("out"), kills},
	{"mktemp, ln", "mktemp", file + `echo x >"$f"; ln -T "$f" "$TMPDIR/out"`, target("out"), 0},
	{"redirections", "mktemp", file + `exec 3<>"$f"; echo x >&3; echo y >>"$f"; exec 3>&-; while read -r l; do :; done <"$f"`, nil, 0},
	{"a background job", "mktemp", inside + `(echo x >job) & wait; cat job`, nil, 0},
	{"here-document of bash", "bash", `bash -euc 'x=$(printf "%70000s" y); grep -q y <<E
$x
E
ls "$TMPDIR" >/dev/null'`, nil, 0},
	{"process substitution", "bash mktemp", `bash -euc 'f=$(mktemp); trap "rm -f $f" EXIT; echo x >"$f"; cmp <(echo x) <(cat "$f")'`, nil, 0},
	{"FIFO", "mkfifo mktemp", inside + `mkfifo p; echo x >p & read -r l <p; wait`, nil, 0},

	// Files.
	{"cp", "cp mktemp", inside + `cp -a a c; cp -r . "$HOME/copy"; cmp a c`, nil, 0},
	{"cp --remove-destination", "cp", `umask 077; echo x >a; cp --remove-destination -T a "$TMPDIR/out"`, target("out"), 0},
	{"mv", "mv mktemp", inside + `mv a c; mv -T c d; mv d "$HOME/out"`, nil, 0},
	{"install", "install mktemp", inside + `install -m 600 a c; install -d e; install -D a e/f/g; install -m 644 a "$HOME/out"`, nil, 0},
	{"install at a known name", "install", `umask 077; echo x >a; install -m 600 -T a "$TMPDIR/out"`, target("out"), 0},
	{"ln -s, mv -T", "ln mktemp", inside + `ln -s a new; mv -T new current; cat current`, nil, 0},
	{"tee", "tee mktemp", file + `echo x | tee "$f" | tee -a "$f" >/dev/null`, nil, 0},
	{"dd", "dd mktemp", file + `dd if=/dev/zero of="$f" bs=1k count=4 conv=notrunc,fsync status=none`, nil, 0},
	{"split, csplit", "split csplit mktemp", inside + `split -b 2 a s.; csplit -s b 1 ; cat s.* xx*`, nil, 0},
	{"shred", "shred mktemp", inside + `shred -n 1 -u a`, nil, 0},
	{"truncate", "truncate mktemp", file + `truncate -s 4k "$f"; truncate -s 0 "$f"`, nil, 0},
	{"find", "find mktemp", inside + `mkdir -p x/y; echo z >x/y/z; find . -type f -exec grep -l z {} +; find x -depth -delete`, nil, 0},
	{"xargs", "find xargs mktemp", inside + `find . -type f -print0 | xargs -0 rm -f`, nil, 0},
	{"flock", "flock mktemp", inside + `flock lock sh -c 'echo x >c'; exec 9>lock; flock -n 9; cat c`, nil, 0},

	// Text.
	{"sort", "sort", `seq 1 3000 | sort -S 1k -r >"$HOME/out"`, nil, 0},
	{"sort -o", "sort mktemp", inside + `sort -o a a b`, nil, 0},
	{"sed -i", "sed mktemp", inside + `sed -i s/one/three/ a; grep -q three a; sed -i.bak -e p b`, nil, 0},
	{"awk", "awk mktemp", inside + `awk '{print >"c"; print | "sort >d"}' a b; cat c d`, nil, 0},
	{"diff, patch", "diff patch mktemp", inside + `diff -u a b >p || true; patch -s a p; cmp a b`, nil, 0},
	{"ed", "ed mktemp", inside + `printf '%s\n' a x . w q | ed -s a`, nil, 0},
	{"jq", "jq mktemp", inside + `echo '{"a":1}' >j; jq .a j >k; grep -q 1 k`, nil, 0},

	// Archives.
	{"tar", "tar gzip mktemp", inside + `tar czf x.tgz a b; mkdir o; tar xzf x.tgz -C o; cmp a o/a`, nil, 0},
	{"gzip, xz, bzip2", "gzip xz bzip2 mktemp", inside + `gzip a; xz b; gunzip a.gz; unxz b.xz; bzip2 a; bunzip2 a.bz2; cat a b`, nil, 0},
	{"zip, unzip", "zip unzip mktemp", inside + `zip -q x.zip a b; zip -qd x.zip b; unzip -q -d o x.zip; cmp a o/a`, nil, 0},
	{"cpio", "cpio mktemp", inside + `printf 'a\nb\n' | cpio -o --quiet >x; mkdir o; cd o; cpio -i --quiet <../x; cmp a ../a`, nil, 0},
	{"rsync", "rsync mktemp", inside + `mkdir from; mv a b from; rsync -a from/ to/; rsync -a --delete from/ to/; cmp from/a to/a`, nil, 0},
	{"dpkg-deb", "dpkg-deb mktemp", inside + `mkdir -p p/DEBIAN; printf 'Package: p\nVersion: 1\nArchitecture: all\nMaintainer: m <m@x>\nDescription: d\n' >p/DEBIAN/control; chmod -R go-w p; dpkg-deb -b p p.deb >/dev/null; dpkg-deb -x p.deb o`, nil, 0},
	{"ar", "ar mktemp", inside + `ar rc x.a a b; ar r x.a a; ar t x.a >/dev/null`, nil, 0},

	// Tools.
	{"git", "git mktemp", inside + `git init -q r; cd r; echo x >f; git add f; git -c user.name=n -c user.email=e@x commit -qm m; git status -s`, nil, 0},
	{"make", "make mktemp", inside + `printf 'c: a\n\tcp a c.new\n\tmv c.new c\n' | make -s -f -; cmp a c`, nil, 0},
	{"gcc", "gcc mktemp", inside + `echo 'int main(void) { return 0; }' >c.c; gcc -o c c.c; ./c`, nil, 0},
	{"gcc -save-temps, ld", "gcc mktemp", inside + `echo 'int f(void) { return 0; }' >c.c; gcc -c -save-temps c.c; ld -r -o d.o c.o`, nil, 0},
	{"gpg", "gpg mktemp", inside + `gpg --no-options --homedir "$d" --no-permission-warning --enarmor <a >c 2>/dev/null`, nil, 0},
	{"ssh-keygen", "ssh-keygen mktemp", inside + `ssh-keygen -q -t ed25519 -N "" -f key; ssh-keygen -y -f key >pub`, nil, 0},
	{"openssl", "openssl mktemp", inside + `openssl genpkey -algorithm ed25519 -out key; openssl pkey -in key -pubout -out pub; openssl rand -out r 16`, nil, 0},
	{"curl file://", "curl mktemp", inside + `curl -sS -o c "file://$d/a"; curl -sS --create-dirs -o e/f "file://$d/a"; cmp c a`, nil, 0},
	{"sqlite3", "sqlite3 mktemp", inside + `sqlite3 db 'create table t(x); insert into t values(1); pragma journal_mode=wal; insert into t values(2); vacuum; select * from t order by x desc' >/dev/null`, nil, 0},
	{"sqlite3, temporary tables", "sqlite3", `sqlite3 :memory: 'pragma temp_store=1; pragma cache_size=1; create temp table t(x); with recursive c(i) as (select 1 union all select i+1 from c where i<2000) insert into t select randomblob(200) from c; create temp table u as select x from t order by x;'`, nil, 0},

	// Languages.
	{"perl File::Temp", "perl:File::Temp", `perl -e 'use File::Temp qw(tempfile tempdir); my ($h, $n) = tempfile(DIR => $ENV{TMPDIR}, UNLINK => 1); print $h "x"; close $h; my $d = tempdir(CLEANUP => 1); open my $f, ">", "$d/x" or die; print $f "y"; close $f or die'`, nil, 0},
	{"perl -i", "perl mktemp", inside + `perl -pi -e s/one/three/ a; grep -q three a`, nil, 0},
	{"perl open undef", "perl", `perl -e 'open my $f, "+>", undef or die; print $f "x"; seek $f, 0, 0; <$f> eq "x" or die'`, nil, 0},
	{"node mkdtemp", "node", `node -e 'const fs = require("fs"), os = require("os"); const d = fs.mkdtempSync(os.tmpdir() + "/x-"); fs.writeFileSync(d + "/a", "x"); fs.renameSync(d + "/a", d + "/b"); fs.rmSync(d, {recursive: true})'`, nil, 0},
	{"python NamedTemporaryFile", "python3", python(`
with tempfile.NamedTemporaryFile() as f:
    f.write(b"x"); f.flush(); open(f.name).read()`), nil, 0},
	{"python mkstemp, replace", "python3", python(`
fd, name = tempfile.mkstemp()
try:
    with os.fdopen(fd, "w") as f:
        f.write("x"); f.flush(); os.fsync(fd)
    os.replace(name, os.environ["TMPDIR"] + "/out")
except BaseException:
    os.unlink(name); raise`), target("out"), kills},
	{"python TemporaryDirectory", "python3", python(`
with tempfile.TemporaryDirectory() as d:
    pathlib.Path(d, "x").write_text("x"); os.mkdir(d + "/y"); shutil.copytree(d, d + "/y/z", ignore=lambda *a: ["y"])`), nil, 0},
	{"python TemporaryFile", "python3", python(`
with tempfile.TemporaryFile() as f, tempfile.SpooledTemporaryFile(max_size=1) as s:
    f.write(b"x"); s.write(b"xx"); s.rollover()`), nil, 0},
	{"python O_TMPFILE, link", "python3", python(`
d = os.open(os.environ["TMPDIR"], os.O_PATH | os.O_DIRECTORY)
fd = os.open(os.environ["TMPDIR"], os.O_TMPFILE | os.O_WRONLY, 0o600)
os.write(fd, b"x"); os.fsync(fd)
os.link("/proc/self/fd/%d" % fd, "out", dst_dir_fd=d, follow_symlinks=True)`), target("out"), faults},
	{"python O_EXCL", "python3", python(`
name = os.path.join(os.environ["TMPDIR"], os.urandom(16).hex())
fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
try:
    with os.fdopen(fd, "w") as f: f.write("x")
finally:
    os.unlink(name)`), nil, faults},
	{"python unix sockets", "python3", python(`
import socket
with tempfile.TemporaryDirectory() as d:
    s = socket.socket(socket.AF_UNIX); s.bind(d + "/s"); s.listen()
    c = socket.socket(socket.AF_UNIX); c.connect(d + "/s"); a, _ = s.accept()
    c.sendall(b"x"); assert a.recv(1) == b"x"
    u = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); u.bind(d + "/u")
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", d + "/u"); assert u.recv(1) == b"x"`), nil, 0},
	{"python zipfile, tarfile", "python3", python(`
import tarfile, zipfile
with tempfile.TemporaryDirectory() as d:
    p = pathlib.Path(d, "a"); p.write_text("x")
    with tarfile.open(d + "/t", "w") as t: t.add(p, "a")
    with tarfile.open(d + "/t") as t: t.extractall(d + "/o")
    with zipfile.ZipFile(d + "/z", "w") as z: z.write(p, "a")
    with zipfile.ZipFile(d + "/z") as z: z.extractall(d + "/u")`), nil, 0},
	{"python openat2", "python3:ctypes", python(`
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
with tempfile.TemporaryDirectory() as d:
    pathlib.Path(d, "a").write_text("x")
    fd = os.open(d, os.O_PATH | os.O_DIRECTORY)
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY | os.O_CLOEXEC, 0, 0x08 | 0x04)  # RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS
    f = libc.syscall(437, fd, b"a", ctypes.byref(how), 24)
    assert f >= 0, ctypes.get_errno()
    os.read(f, 1); os.close(f); os.close(fd)`), nil, 0},
}

// python runs statements in an interpreter that reads nothing from its user or
// its site.
func python(statements string) string {
	return "python3 -I -S - <<'EOF'\nimport os, pathlib, shutil, tempfile\n" + statements + "\nEOF\n"
}
