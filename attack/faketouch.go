package attack

import (
	"io"
	"os"

	"github.com/tmpproof/tmpproof/fsfake"
)

// What was done to an object of the fake disk is told by the operations that
// its hooks see. Those of the attacker and of the oracles they do not.

func (d *fakeDisk) watch(_ string, n node) error {
	d.touchMu.Lock()
	defer d.touchMu.Unlock()
	if d.touches == nil {
		d.touches = map[uint64]touch{}
	}
	if _, ok := d.touches[n.id.ino]; !ok && (n.regular() || n.isDir()) {
		d.touches[n.id.ino] = 0
	}
	return nil
}

func (d *fakeDisk) watchAnew() {
	d.touchMu.Lock()
	defer d.touchMu.Unlock()
	clear(d.touches)
	clear(d.drains)
}

func (d *fakeDisk) touched(o id) touch {
	d.touchMu.Lock()
	defer d.touchMu.Unlock()
	return d.touches[o.ino]
}

func (d *fakeDisk) setTouched(o id, t touch) {
	d.touchMu.Lock()
	defer d.touchMu.Unlock()
	if _, ok := d.touches[o.ino]; ok {
		d.touches[o.ino] = t
	}
}

// listen lets the attacker read a FIFO: who opens it does not wait.
func (d *fakeDisk) listen(name string) error {
	taken, err := d.god.DrainFIFO(name)
	if d.drains == nil {
		d.drains = map[id]func() int64{}
	}
	d.drains[d.stat(name).id] = taken
	return err
}

// lock does nothing either: no operation asks for a lock.
func (d *fakeDisk) lock(string) error { return nil }

func (d *fakeDisk) heard(o id) (int64, bool) {
	if taken := d.drains[o]; taken != nil {
		return taken(), false
	}
	return 0, false
}

func (d *fakeDisk) unheard() string { return "" }

func (d *fakeDisk) extras(string) map[string]string { return nil }

// note adds what an operation did. b is its boundary, nil where it has none.
func (d *fakeDisk) note(op *fsfake.Op, b *boundary) {
	var t touch
	switch op.Name {
	case "read":
		if t = wasRead; op.N == 0 {
			return
		}
	case "readdir":
		if t = wasRead; op.Err != nil && op.Err != io.EOF {
			return
		}
	case "write", "ftruncate", "truncate":
		if t = wasWritten; op.Err != nil && op.N == 0 || op.Name == "write" && op.N == 0 {
			return
		}
	case "open":
		if t = wasWritten; op.Err != nil || op.Flag&os.O_TRUNC == 0 {
			return
		}
	case "chmod", "chown", "lchown", "utimens", "lutimens", "fchmod", "fchown", "futimens", "link", "flink", "unlink", "rename":
		if t = wasSet; op.Err != nil {
			return
		}
	default:
		return
	}
	if op.File != nil && op.Name != "open" {
		d.add(op.File.Inode(), t)
		return
	}
	if b == nil {
		return
	}
	for _, l := range b.lookups {
		if a, ok := l.final(); ok && a.node.exists() {
			d.add(a.node.id.ino, t)
		}
	}
}

func (d *fakeDisk) add(ino uint64, t touch) {
	d.touchMu.Lock()
	defer d.touchMu.Unlock()
	if was, ok := d.touches[ino]; ok {
		d.touches[ino] = was | t
	}
}
