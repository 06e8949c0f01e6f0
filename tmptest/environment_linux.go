package tmptest

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/tmpproof/tmpproof/tmptest/rules"
)

// checkUmask reads the umask from /proc, since umask(2) would change it for a
// moment and for all threads.
func checkUmask() []Violation {
	const file = "/proc/self/status"
	data, err := os.ReadFile(file)
	if err != nil {
		return []Violation{unchecked(rules.E10, "umask", err.Error())}
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, "Umask:"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(value), 8, 9)
			if err != nil {
				return []Violation{unchecked(rules.E10, "umask", err.Error())}
			}
			return judgeUmask(fs.FileMode(mask))
		}
	}
	return []Violation{unchecked(rules.E10, "umask", file+" has no Umask line")}
}

// checkProtection is E16.
func checkProtection() []Violation { return protectionIn("/proc/sys/fs") }

// protectionIn names the settings that are off.
func protectionIn(dir string) []Violation {
	var found []Violation
	for _, name := range []string{"symlinks", "hardlinks", "regular", "fifos"} {
		file := dir + "/protected_" + name
		data, err := os.ReadFile(file)
		switch value := strings.TrimSpace(string(data)); {
		case err != nil:
			found = append(found, unchecked(rules.E16, file, reason(err).Error()))
		case value == "0":
			found = append(found, Violation{Rule: rules.E16, Path: file, Detail: fmt.Sprintf("is %s: off", value)})
		}
	}
	return found
}
