package report

import (
	"context"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// probe is what a script finds in the page as a browser has laid it out.
type probe struct {
	Errors    []string `json:"errors"`
	Title     string   `json:"title"`
	Dark      bool     `json:"dark"`
	Width     int      `json:"width"`    // of the viewport
	Scroll    int      `json:"scroll"`   // of what is in it
	Findings  []string `json:"findings"` // rule and line of each
	Open      int      `json:"open"`
	Victim    []string `json:"victim"` // lanes of the first finding, as they show
	Attacker  []string `json:"attacker"`
	Damage    []string `json:"damage"`
	Lanes     [][2]int `json:"lanes"` // left edges of the two lanes where both are
	Marked    string   `json:"marked"`
	Command   string   `json:"command"`
	Cells     int      `json:"cells"`
	Found     int      `json:"found"`
	Tables    int      `json:"tables"`
	Captions  int      `json:"captions"`
	Unscoped  int      `json:"unscoped"`
	Headings  []string `json:"headings"`
	Unreached []string `json:"unreached"` // scrolling boxes that a keyboard does not reach
	Contrast  []string `json:"contrast"`  // texts with less than 4.5 to 1
	Foreign   []string `json:"foreign"`   // what would be loaded from elsewhere
	Scripts   int      `json:"scripts"`   // beside this one
	Pwned     bool     `json:"pwned"`     // a name in the report has become markup
}

const probing = `<script id="probe-script">
addEventListener('load', () => {
 const p = {errors: []}, $ = (s, e = document) => [...e.querySelectorAll(s)], text = e => e.innerText.trim().replace(/\s+/g, ' ');
 try {
  p.title = document.title; p.dark = matchMedia('(prefers-color-scheme: dark)').matches;
  p.width = document.documentElement.clientWidth; p.scroll = document.documentElement.scrollWidth;
  p.findings = $('.finding').map(f => text(f.querySelector('.badge')) + ' ' + text(f.querySelector('summary code')));
  p.open = $('.finding[open]').length;
  const f = document.querySelector('.finding');
  p.victim = f ? $('.us .act', f).map(text) : []; p.attacker = f ? $('.them .act', f).map(text) : []; p.damage = f ? $('.hurt', f).map(text) : [];
  p.lanes = f ? $('.lanes tbody tr', f).map(r => [...r.children].slice(1).map(c => Math.round(c.getBoundingClientRect().left))) : [];
  p.marked = f ? text(f.querySelector('.src mark')) : ''; p.command = f ? f.querySelector('.cmd').textContent : '';
  p.cells = $('.grid td').length; p.found = $('.grid td.found').length;
  p.tables = $('table').length; p.captions = $('table > caption').length; p.unscoped = $('th:not([scope])').length;
  p.headings = $('h1,h2,h3,h4').map(h => h.tagName);
  p.unreached = $('*').filter(e => ['auto','scroll'].includes(getComputedStyle(e).overflowX) && e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0).map(e => e.className);
  const rgb = c => (c.match(/[\d.]+/g) || []).map(Number);
  const lum = c => { const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length == 3 || c[3] > 0) return c.slice(0, 3) } return p.dark ? [0, 0, 0] : [255, 255, 255] };
  p.contrast = $('body *').filter(e => e.tagName != 'SCRIPT' && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())).map(e => {
   const a = lum(rgb(getComputedStyle(e).color).slice(0, 3)), b = lum(behind(e));
   return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.className + ' ' + e.textContent.slice(0, 30)] }).filter(x => x[0] < 4.5).map(x => x[0].toFixed(2) + ' ' + x[1]);
  p.foreign = performance.getEntriesByType('resource').map(r => r.name).concat($('[src],link[href]').map(e => e.outerHTML.slice(0, 80)));
  p.scripts = document.scripts.length - 1; p.pwned = !!window.pwned || $('h1 script').length > 0 || $('.lanes code b').length > 0;
 } catch (e) { p.errors.push(String(e)) }
 parent.postMessage(JSON.stringify(p), '*');
});
</script>`

const frame = `<!DOCTYPE html><body style="margin:0"><iframe src="page.html" style="width:%WIDTHpx;height:800px;border:0"></iframe><pre id="probe"></pre>
<script>addEventListener('message', e => { document.getElementById('probe').textContent = e.data })</script></body>`

// render has Chromium lay the page out, in a frame as wide as a screen.
func render(t *testing.T, r *Report, width string, dark bool) probe {
	t.Helper()
	browser := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			browser = p
			break
		}
	}
	if browser == "" {
		t.Skip("no chromium here, and the page is looked at as a browser shows it: apt-get install chromium")
	}
	dir, err := os.MkdirTemp("", "p") // shorter than t.TempDir, for the browser's socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, Write(dir, "page", r))
	page, err := os.ReadFile(filepath.Join(dir, "page.html"))
	require.NoError(t, err)
	assert.NotContains(t, string(page), "<script", "the page needs no script")
	whole := strings.Replace(string(page), "</body>", probing+"</body>", 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "page.html"), []byte(whole), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "frame.html"), []byte(strings.Replace(frame, "%WIDTH", width, 1)), 0o600))
	scheme := "1"
	if dark {
		scheme = "0"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--disable-background-networking", "--user-data-dir="+filepath.Join(dir, "profile"), "--blink-settings=preferredColorScheme="+scheme,
		"--window-size=1400,900", "--virtual-time-budget=5000", "--dump-dom", "file://"+filepath.Join(dir, "frame.html"))
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir)
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	require.NoError(t, err, "chromium")
	_, rest, ok := strings.Cut(string(out), `<pre id="probe">`)
	data, _, ok2 := strings.Cut(rest, "</pre>")
	require.True(t, ok && ok2, "no probe in the page:\n%s", out)
	var p probe
	require.NoError(t, json.Unmarshal([]byte(html.UnescapeString(data)), &p), data)
	return p
}

// TestPage: in a browser the page shows what the report has, fits, can be
// read, and loads nothing.
func TestPage(t *testing.T) {
	for _, tt := range []struct {
		name, width string
		dark        bool
		phone       bool
	}{
		{"phone", "390", false, true},
		{"phone, dark", "390", true, true},
		{"small phone", "320", false, true},
		{"desk", "1280", false, false},
		{"desk, dark", "1280", true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && tt.phone != tt.dark {
				t.Skip("each look takes a browser: with -short the dark phone and the light desk have to do")
			}
			r := sample()
			p := render(t, r, tt.width, tt.dark)
			assert.Empty(t, p.Errors)
			assert.Equal(t, tt.dark, p.Dark)
			assert.Equal(t, r.Test+": broken · tmpproof", p.Title)
			assert.LessOrEqual(t, p.Scroll, p.Width, "the page is wider than the screen")

			assert.Equal(t, []string{"X01 source.go:12 < main.go:3", "C01 source.go:12"}, p.Findings)
			assert.Equal(t, 2, p.Open)
			assert.Equal(t, []string{"Victim: newfstatat shared/out finds absent · source.go:9", `Victim: openat shared/<b>"'& finds symlink · source.go:12`, "Victim: write shared/out"}, p.Victim)
			assert.Equal(t, []string{"Attacker: " + r.Findings[0].Events[1].Move, "Attacker: fails with ENOSPC"}, p.Attacker)
			assert.Equal(t, []string{"vault/file: its size went from 21 to 8"}, p.Damage)
			assert.True(t, strings.HasPrefix(p.Marked, "12"), p.Marked)
			assert.Equal(t, r.Findings[0].Command, p.Command)
			assert.Equal(t, 16, p.Cells)
			assert.Equal(t, 1, p.Found)
			if !tt.phone {
				require.Len(t, p.Lanes, 4)
				for _, l := range p.Lanes {
					assert.Equal(t, p.Lanes[0], l, "the lanes stand side by side")
					assert.Less(t, l[0], l[1])
				}
			}

			assert.Equal(t, 3, p.Tables)
			assert.Equal(t, p.Tables, p.Captions, "each table has a caption")
			assert.Zero(t, p.Unscoped, "each header says what it heads")
			assert.Equal(t, "H1", p.Headings[0])
			for i := 1; i < len(p.Headings); i++ {
				assert.LessOrEqual(t, p.Headings[i][1]-'0', p.Headings[i-1][1]-'0'+1, "no level is left out: %v", p.Headings)
			}
			assert.Empty(t, p.Unreached, "what scrolls can be reached by keyboard")
			assert.Empty(t, p.Contrast, "WCAG 2.2 AA: 4.5 to 1")
			assert.Empty(t, p.Foreign, "the page is self-contained")
			assert.Zero(t, p.Scripts)
			assert.False(t, p.Pwned)
		})
	}
}

// Other verdicts have their page too.
func TestPageVerdicts(t *testing.T) {
	for _, tt := range []struct {
		r    Report
		want string
	}{
		{Report{Tool: "attack.Prove", Test: "TestClean", Verdict: Clean, Complete: true}, "No schedule within the bound breaks it."},
		{Report{Tool: "attack.Prove", Test: "TestNothing", Verdict: Untried, Untried: "the name is chance", Complete: true}, "nothing was tried</span> the name is chance."},
		{Report{Tool: "attack.Prove", Test: "TestHalf", Verdict: Inconclusive, Problems: []string{"budget"}}, "this proves nothing"},
		{Report{Tool: "attack.Race", Test: "TestRace", Verdict: NotWon, Odds: &Odds{Attempts: 3000, Hits: 12, High: 0.001}}, "That is no proof."},
	} {
		t.Run(tt.r.Test, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, Write(dir, "page", &tt.r))
			page, err := os.ReadFile(filepath.Join(dir, "page.html"))
			require.NoError(t, err)
			assert.Contains(t, string(page), tt.want)
		})
	}
}
