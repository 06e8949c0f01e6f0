package attack

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// names knows which parts of the victim's names differ from run to run, and
// which of those an attacker can foretell.
type names struct {
	patterns []pattern
	fixed    map[string]bool    // names that every undisturbed run used
	known    map[string]pattern // fixed names that are made of what differs elsewhere, or of a short process id
	tapes    [][]string         // names of the undisturbed runs that had each their chance
	alike    bool               // a known name looks as one that is chance
	test     string
	root     string  // where the scenes are, up to the number that each has
	entries  []entry // that the attacker puts in a directory which is listed
	isEntry  map[string]bool
}

// pattern is a name with a part that differs: prefix, anything, suffix.
type pattern struct {
	prefix, suffix string
	why            string // what the differing part is made of; empty for chance
	min, max       int    // length of the differing part where it was seen
	letters        alphabet
	sample         string // one of its names
	marks          int    // of the differing part, what is no letter or digit
	told           int    // of the differing part, what is the time in fact
	guessed        bool   // why was told by a notation, not by holding it still
	few            bool   // it is chance, and too little of it
	fixed          bool   // it stands in a name that every run used
}

// star is the differing part of a name.
func (p pattern) star(s string) string { return s[len(p.prefix) : len(s)-len(p.suffix)] }

func (p pattern) match(s string) bool {
	if !p.wraps(s) {
		return false
	}
	star := p.star(s)
	switch {
	case p.max == 0: // nothing was seen
		return true
	case !p.letters.has(star):
		return false
	case p.letters == decimals: // has fewer digits now and then
		return len(star) <= p.max+shorter
	default: // text has a length, give or take the digits that a large base leaves out once in a while
		off := 0
		if p.max >= 8 || p.min != p.max {
			off = shorter
		}
		return len(star) >= p.min-off && len(star) <= p.max+off
	}
}

const shorter = 4 // base 36 drops so many digits once in 1.7 million names

// saw widens the pattern by what was seen.
func (p *pattern) saw(names ...string) {
	for _, s := range names {
		part := p.star(s)
		marks := strings.Count(part, "") - 1 - len(strings.Map(alphanumeric, part))
		if p.max == 0 {
			p.min, p.marks = len(part), marks
		}
		p.min, p.max = min(p.min, len(part)), max(p.max, len(part))
		p.letters |= alphabetOf(part)
		p.marks = min(p.marks, marks) // what stands between is in each name; Python draws "_" as a letter
	}
}

func alphanumeric(r rune) rune {
	if r < 0x80 && (digit(byte(r)) || letter(byte(r))) {
		return r
	}
	return -1
}

func isNumber(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func (p pattern) String() string { return p.prefix + "*" + p.suffix }

// context is what an attacker can know of a run: what the victim could have
// made a name of.
type context struct {
	PID, PPID, UID, GID int
	Programs            []int // process ids of what the victim started
	User, Host, Test    string
	Begin, End          int64 // ns since 1970
}

// shape is a path with its differing parts replaced by a star.
//
// So is the scene's own place, which a path can have in its middle where a
// victim takes an absolute link for one below another root.
//
// And the numbers of processes, threads and descriptors below /proc, whether
// they differed before or not: which descriptor is free can depend on when the
// collector closed another.
func (n *names) shape(p string) string {
	p = withoutIDs(n.below(p))
	if len(n.patterns)+len(n.known) == 0 {
		return p
	}
	// The first element is a part of the scene.
	for at := strings.IndexByte(p, '/') + 1; at > 0 && at < len(p); at++ {
		end := len(p)
		if i := strings.IndexByte(p[at:], '/'); i >= 0 {
			end = at + i
		}
		if pat, ok := n.pattern(p[at:end]); ok {
			p = p[:at] + pat.prefix + "*" + pat.suffix + p[end:]
			end = at + len(pat.prefix) + 1 + len(pat.suffix)
		}
		at = end
	}
	return p
}

var (
	digits  = regexp.MustCompile(`\d+`)
	procIDs = regexp.MustCompile(`(?:^|[\s"(:])/proc/(?:self|thread-self|[\d*]+)(?:/task/[\d*]+)?(?:/(?:fd|fdinfo)/[\d*]+)?`)
)

// withoutIDs replaces the numbers in paths of /proc.
func withoutIDs(text string) string {
	if !strings.Contains(text, "/proc/") {
		return text
	}
	return procIDs.ReplaceAllStringFunc(text, func(p string) string { return digits.ReplaceAllString(p, "*") })
}

// place notes where a scene is. That of another run differs in its number.
func (n *names) place(root string) {
	root = strings.TrimSuffix(root, "/")
	if all := strings.TrimRight(root, "0123456789"); !strings.HasSuffix(all, "/") {
		root = all
	}
	if root != "" {
		n.root = root
	}
}

// below is a path without the scene's place, wherever that stands in it.
func (n *names) below(p string) string {
	if n.root == "" || !strings.Contains(p, n.root) {
		return p
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(p, n.root)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		p = strings.TrimLeft(after, "0123456789")
	}
}

func (n *names) pattern(part string) (pattern, bool) {
	if n.isEntry[part] {
		return pattern{}, false
	}
	if p, ok := n.known[part]; ok {
		return p, true
	}
	for _, p := range n.patterns {
		if !p.match(part) {
			continue
		}
		if n.fixed[part] && !p.fixed && !(p.why != "" && isNumber(p.star(part))) {
			continue // looks like the others by chance; a counter's first value is no such case
		}
		return p, true
	}
	return pattern{}, false
}

// predictable says that an attacker can know a name before it exists.
func (n *names) predictable(name string) bool {
	p, ok := n.pattern(name)
	return !ok || p.why != ""
}

// why says how a name can be foretold; empty when it cannot.
func (n *names) why(name string) string {
	p, ok := n.pattern(name)
	if !ok {
		if n.test != "" && strings.Contains(name, n.test) {
			return "it is made of the test's name"
		}
		return "it is the same in every run"
	}
	if p.why == "" || p.few {
		return p.why
	}
	return "it is made of " + p.why
}

// learn compares the names that the undisturbed runs used: paths gives those
// of each run, in the order of its calls.
func (n *names) learn(paths [][]string, contexts []context) {
	used := make([][]string, len(paths))
	n.fixed = map[string]bool{}
	for i, list := range paths {
		used[i] = elements(list)
		for _, name := range used[i] {
			n.fixed[name] = i == 0 || n.fixed[name]
		}
	}
	for name := range n.fixed {
		for _, list := range used {
			if !slices.Contains(list, name) {
				delete(n.fixed, name)
			}
		}
	}
	n.fixedByNotation(contexts)
	for i := 1; i < len(used); i++ {
		n.compare(used[0], used[i], contexts[0], contexts[i])
	}
}

// fixedByNotation finds moments and process ids in names that are the same in all
// runs because these fell together.
func (n *names) fixedByNotation(contexts []context) {
	n.numberedShort(contexts)
	for name := range n.fixed {
		for _, of := range []func(string, []context) (pattern, bool){timed, numbered} {
			if p, ok := of(name, contexts); ok && !slices.Contains(n.patterns, p) {
				n.patterns = append(n.patterns, p)
			}
		}
	}
}

func (n *names) clone() *names {
	c := *n
	c.patterns, c.fixed = slices.Clone(n.patterns), maps.Clone(n.fixed)
	return &c
}

// strange are names that no undisturbed run used.
func (n *names) strange(elements []string) bool {
	return slices.ContainsFunc(elements, func(name string) bool {
		_, ok := n.pattern(name)
		return !ok && !n.fixed[name] && !n.isEntry[name]
	})
}

// learnMore compares the names of two runs under one schedule, which took
// another way than the undisturbed ones.
func (n *names) learnMore(a, b []string, ca, cb context) {
	n.compare(a, b, ca, cb)
	for _, name := range a {
		if _, ok := n.pattern(name); !ok && slices.Contains(b, name) {
			n.fixed[name] = true
		}
	}
}

// compare finds the names of one run that stand for others in another.
func (n *names) compare(a, b []string, ca, cb context) {
	for _, p := range pairs(without(a, b), without(b, a)) {
		n.add(p[0], p[1], ca, cb)
	}
	n.longestFirst()
}

// longestFirst puts the longest literal part first: the most telling pattern
// wins.
func (n *names) longestFirst() {
	slices.SortFunc(n.patterns, func(p, q pattern) int {
		return cmp.Or(len(q.prefix)+len(q.suffix)-len(p.prefix)-len(p.suffix), cmp.Compare(p.String(), q.String()))
	})
}

// timed finds the moment in a name that is the same in all runs because they
// fell into one second.
func timed(name string, contexts []context) (pattern, bool) {
	var p pattern
	for _, c := range contexts {
		s := stripTime(name, c)
		prefix, suffix, ok := strings.Cut(s, blank)
		if s == name || !ok {
			return pattern{}, false
		}
		p = pattern{prefix: prefix, suffix: suffix, why: "the time", fixed: true}
	}
	p.saw(name)
	return p, p.why != ""
}

// oneProcess is the process id that all runs had; 0: they had several.
func oneProcess(contexts []context) int64 {
	for _, c := range contexts {
		if c.PID != contexts[0].PID {
			return 0
		}
	}
	return int64(contexts[0].PID)
}

// shortNumber bounds numbers that are too common to tell anything.
const shortNumber = 100

// numbered finds the process id in a name that is the same in all runs because
// they had one process.
func numbered(name string, contexts []context) (pattern, bool) {
	pid := oneProcess(contexts)
	if pid < shortNumber {
		return pattern{}, false
	}
	s := stripNumber(name, pid)
	prefix, suffix, ok := strings.Cut(s, blank)
	if s == name || !ok {
		return pattern{}, false
	}
	p := pattern{prefix: prefix, suffix: suffix, why: "the process id", fixed: true}
	p.saw(name)
	return p, true
}

// numberedShort finds a process id that is as short as a container's can be. It
// is taken for that in such a name alone, and not where a name has another
// number there.
func (n *names) numberedShort(contexts []context) {
	pid := oneProcess(contexts)
	if pid <= 0 || pid >= shortNumber {
		return
	}
	for name := range n.fixed {
		s := replaceNumber(name, strconv.FormatInt(pid, 10))
		prefix, suffix, ok := strings.Cut(s, blank)
		p := pattern{prefix: prefix, suffix: suffix, why: "the process id", fixed: true}
		counts := func(other string) bool { return other != name && p.wraps(other) && isNumber(p.star(other)) }
		if !ok || s == name || slices.ContainsFunc(slices.Collect(maps.Keys(n.fixed)), counts) {
			continue
		}
		p.saw(name)
		if n.known == nil {
			n.known = map[string]pattern{}
		}
		n.known[name] = p
	}
}

// elements are the names in paths, each once; the first of a path names a
// part of the scene.
func elements(paths []string) []string {
	var all []string
	seen := map[string]bool{}
	for _, p := range paths {
		for _, name := range strings.Split(p, "/")[1:] {
			if !seen[name] {
				seen[name] = true
				all = append(all, name)
			}
		}
	}
	return all
}

func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

// pairs finds for each name of a run the one that stands for it in another:
// the one most like it, and among equals the one at the same place.
// Goroutines reorder, so the place alone does not tell.
func pairs(a, b []string) [][2]string {
	var list [][2]string
	taken := make([]bool, len(b))
	for _, x := range a {
		best, most := -1, -1
		for j, y := range b {
			prefix, suffix := literal(x, y)
			if l := len(prefix) + len(suffix); !taken[j] && l > most {
				best, most = j, l
			}
		}
		if best >= 0 {
			taken[best] = true
			list = append(list, [2]string{x, b[best]})
		}
	}
	return list
}

func (n *names) add(a, b string, ca, cb context) {
	prefix, suffix := literal(a, b)
	ends := len(prefix) + len(suffix)
	// Both runs fell into one second; the next will not.
	prefix, _, _ = strings.Cut(stripTime(prefix, ca), blank)
	if i := strings.LastIndex(stripTime(suffix, ca), blank); i >= 0 {
		suffix = stripTime(suffix, ca)[i+len(blank):]
	}
	why := derived(a, b, ca, cb)
	ends -= len(prefix) + len(suffix)
	for i := range n.patterns {
		if p := &n.patterns[i]; p.prefix == prefix && p.suffix == suffix {
			if why == "" {
				p.why = ""
			}
			p.told = max(p.told, ends)
			p.saw(a, b)
			return
		}
	}
	p := pattern{prefix: prefix, suffix: suffix, why: why, told: ends, sample: a, guessed: why != "" && n.tapes != nil}
	p.saw(a, b)
	n.patterns = append(n.patterns, p)
}

// literal is what two names share at both ends, less digits or letters that
// are alike by chance.
func literal(a, b string) (prefix, suffix string) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && j < len(b)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	class := digit
	for _, s := range []string{a[i : len(a)-j], b[i : len(b)-j]} {
		if strings.ContainsFunc(s, func(r rune) bool { return r < 0x80 && letter(byte(r)) }) {
			class = func(c byte) bool { return digit(c) || letter(c) }
		}
	}
	for i > 0 && class(a[i-1]) {
		i--
	}
	for j > 0 && class(a[len(a)-j]) {
		j--
	}
	return a[:i], a[len(a)-j:]
}

func digit(c byte) bool  { return c >= '0' && c <= '9' }
func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// targetMatch says whether a scene name is one of the patterns below Dir, or
// lies in a directory that is.
func targetMatch(patterns []string, name string) bool {
	if !under(name, dirShared) || name == dirShared {
		return false
	}
	for rel := name[len(dirShared)+1:]; rel != "." && rel != ""; rel = path.Dir(rel) {
		for _, p := range patterns {
			if ok, _ := path.Match(p, rel); ok {
				return true
			}
		}
	}
	return false
}
