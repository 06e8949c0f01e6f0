package tmptest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tmpproof/tmpproof/tmptest/rules"
	"golang.org/x/sys/unix"
)

// Tags of acl(5) entries as the kernel stores them (linux/posix_acl_xattr.h).
const (
	aclVersion   = 2
	aclUserObj   = 0x01
	aclUser      = 0x02
	aclGroupObj  = 0x04
	aclGroup     = 0x08
	aclMask      = 0x10
	aclOther     = 0x20
	aclHeaderLen = 4
	aclEntryLen  = 8
)

// checkACL is E07: what the access list gives to named users and groups, and
// the default list, which new entries inherit, to anyone but the owner.
func checkACL(path string) []Violation {
	var found []Violation
	for attr, what := range map[string]string{"system.posix_acl_access": "access", "system.posix_acl_default": "default"} {
		data, err := aclAttr(path, attr)
		if err != nil {
			found = append(found, unchecked(rules.E07, path, what+" list: "+err.Error()))
			continue
		}
		grants, err := aclGrants(data, what == "default")
		if err != nil {
			found = append(found, unchecked(rules.E07, path, what+" list: "+err.Error()))
		}
		if len(grants) > 0 {
			found = append(found, Violation{Rule: rules.E07, Path: path, Detail: fmt.Sprintf("its %s list grants %s", what, strings.Join(grants, ", "))})
		}
	}
	return found
}

// aclAttr reads the attribute; no list, or a file system without lists, is nil.
func aclAttr(path, attr string) ([]byte, error) {
	buf := make([]byte, 512)
	for {
		n, err := unix.Lgetxattr(path, attr, buf)
		switch {
		case err == nil:
			return buf[:n], nil
		case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP):
			return nil, nil
		case errors.Is(err, unix.ERANGE) && len(buf) < 1<<16:
			buf = make([]byte, 1<<16)
		case !errors.Is(err, unix.EINTR):
			return nil, err
		}
	}
}

// aclGrants parses a list. With all, it counts the group's and the others'
// plain entries too, which in an access list are the mode bits.
func aclGrants(data []byte, all bool) ([]string, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if len(data) < aclHeaderLen || (len(data)-aclHeaderLen)%aclEntryLen != 0 ||
		binary.LittleEndian.Uint32(data) != aclVersion {
		return nil, fmt.Errorf("%d bytes that are no list of version %d", len(data), aclVersion)
	}
	entries := data[aclHeaderLen:]
	mask := uint16(7)
	for e := entries; len(e) > 0; e = e[aclEntryLen:] {
		if binary.LittleEndian.Uint16(e) == aclMask {
			mask = binary.LittleEndian.Uint16(e[2:]) & 7
		}
	}
	var grants []string
	for e := entries; len(e) > 0; e = e[aclEntryLen:] {
		tag, perm, id := binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint16(e[2:])&7, binary.LittleEndian.Uint32(e[4:])
		var who string
		switch tag {
		case aclUser:
			who, perm = fmt.Sprintf("user %d", id), perm&mask
		case aclGroup:
			who, perm = fmt.Sprintf("group %d", id), perm&mask
		case aclGroupObj:
			who, perm = "the group", perm&mask
		case aclOther:
			who = "others"
		}
		plain := tag == aclGroupObj || tag == aclOther
		if who == "" || perm == 0 || plain && !all {
			continue
		}
		grants = append(grants, fmt.Sprintf("%s %s", who, permText(perm)))
	}
	return grants, nil
}

func permText(perm uint16) string {
	text := []byte("---")
	for i, c := range []byte("rwx") {
		if perm&(4>>i) != 0 {
			text[i] = c
		}
	}
	return string(text)
}
