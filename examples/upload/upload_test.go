package upload

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tmpproof/tmpproof/attack"
	"github.com/tmpproof/tmpproof/leakcheck"
	"github.com/tmpproof/tmpproof/tmptest"
)

// Nothing that any of these tests leaves goes unseen.
func TestMain(m *testing.M) { leakcheck.Main(m) }

var large = bytes.Repeat([]byte("a line of text\n"), 4<<10) // needs a temporary file

// send uploads a file. A reader that fails is a client that goes away.
func send(t *testing.T, server *httptest.Server, name string, content io.Reader) (int, error) {
	body, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		part, err := form.CreateFormFile("file", name)
		if err == nil {
			_, err = io.Copy(part, content)
		}
		w.CloseWithError(errors.Join(err, form.Close()))
	}()
	resp, err := server.Client().Post(server.URL, form.FormDataContentType(), body)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

var errGone = errors.New("the client has gone away")

// cutOff is content that ends with an error.
func cutOff(b []byte) io.Reader { return io.MultiReader(bytes.NewReader(b), &broken{}) }

type broken struct{}

func (*broken) Read([]byte) (int, error) { return 0, errGone }

// TestParallel is load: clients that upload, upload rubbish and go away, all
// at the same time.
func TestParallel(t *testing.T) {
	dir := tmptest.Dir(t)
	server := httptest.NewServer(&Handler{Dir: dir})
	t.Cleanup(server.Close)
	t.Run("clients", func(t *testing.T) {
		for i := range 24 {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				name := fmt.Sprintf("file-%d", i)
				switch i % 3 {
				case 0:
					status, err := send(t, server, name, bytes.NewReader(large))
					require.NoError(t, err)
					assert.Equal(t, http.StatusOK, status)
					assert.FileExists(t, filepath.Join(dir, name))
				case 1:
					status, err := send(t, server, name, bytes.NewReader(append(large[:len(large):len(large)], 0)))
					require.NoError(t, err)
					assert.Equal(t, http.StatusUnprocessableEntity, status)
					assert.NoFileExists(t, filepath.Join(dir, name))
				default:
					_, err := send(t, server, name, cutOff(large))
					require.ErrorIs(t, err, errGone)
				}
			})
		}
	})
}

// TestStore attacks what the handler does with a file: the directory is one
// that others can write.
func TestStore(t *testing.T) {
	attack.Prove(t, func(s *attack.Scene) error {
		return Store(s.Dir, "letter.txt", strings.NewReader("Dear Sir or Madam"))
	}, attack.Target("letter.txt"))
}

const envStream = "TMPPROOF_EXAMPLE_STREAM"

// TestStream fails, since StreamHandler forgets a file.
func TestStream(t *testing.T) {
	if os.Getenv(envStream) == "" {
		t.Skip("fails: TestStreamIsCaught runs it in a process of its own")
	}
	server := httptest.NewServer(&StreamHandler{})
	t.Cleanup(server.Close)
	for _, content := range []string{"text", "no\x00text"} {
		t.Run(content[:2], func(t *testing.T) {
			t.Parallel()
			_, err := send(t, server, "file", strings.NewReader(content))
			require.NoError(t, err)
		})
	}
}

// TestStreamIsCaught: the run of TestStream fails although the test passes, and
// names what it left.
func TestStreamIsCaught(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^TestStream$", "-test.v")
	if dir := flag.Lookup("test.gocoverdir").Value.String(); dir != "" {
		cmd.Args = append(cmd.Args, "-test.gocoverdir="+dir) // what it runs counts for -cover
	}
	// A run below a checked run leaves the check to that one.
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "TMPPROOF_") })
	cmd.Env = append(cmd.Env, envStream+"=1")
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "%s", out)
	assert.Contains(t, string(out), "--- PASS: TestStream")
	assert.Contains(t, string(out), `left "stream-*"`)
	if runtime.GOOS == "linux" {
		assert.Contains(t, string(out), "made at upload.go:100")
	}
}

// TestErrors: what cannot be taken is answered as that, and leaves nothing.
func TestErrors(t *testing.T) {
	for name, handler := range map[string]http.Handler{"handler": &Handler{Dir: tmptest.Dir(t)}, "stream": &StreamHandler{}} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(handler)
			t.Cleanup(server.Close)
			resp, err := server.Client().Post(server.URL, "text/plain", strings.NewReader("no form"))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, http.StatusBadRequest, resp.StatusCode)
		})
	}
	none := filepath.Join(t.TempDir(), "none")
	assert.ErrorIs(t, Store(none, "file", strings.NewReader("text")), os.ErrNotExist)
	t.Run("no temporary directory", func(t *testing.T) {
		for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
			t.Setenv(name, none)
		}
		server := httptest.NewServer(&StreamHandler{})
		t.Cleanup(server.Close)
		status, err := send(t, server, "file", strings.NewReader("text"))
		require.NoError(t, err)
		assert.Equal(t, http.StatusInternalServerError, status)
	})
}
