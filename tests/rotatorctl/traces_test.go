package rotatorctl_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// watcher repeatedly reads the arguments and the environment of every process of
// this machine, and every file below a folder.
type watcher struct {
	folder  string
	secrets []string
	stop    chan struct{}
	done    sync.WaitGroup
	rounds  atomic.Int64
	seen    map[string]bool
}

func watch(folder string, secrets ...string) *watcher {
	w := &watcher{folder: folder, secrets: secrets, stop: make(chan struct{}), seen: map[string]bool{}}
	w.done.Go(func() {
		for {
			select {
			case <-w.stop:
				w.round() // what is left at the end
				return
			case <-time.After(time.Millisecond):
				w.round()
			}
		}
	})
	return w
}

func (w *watcher) round() {
	processes, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, process := range processes {
		w.look(process + "/cmdline")
		w.look(process + "/environ")
	}
	_ = filepath.WalkDir(w.folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			w.look(path)
		}
		return nil
	})
	w.rounds.Add(1)
}

func (w *watcher) look(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return // it has ended, or was removed
	}
	for _, secret := range w.secrets {
		if bytes.Contains(text, []byte(secret)) {
			w.seen[filepath.Base(path)] = true
		}
	}
}

// whole waits until everything has been read once from beginning to end.
func (w *watcher) whole() {
	for until := w.rounds.Load() + 2; w.rounds.Load() < until; {
		time.Sleep(time.Millisecond)
	}
}

// places ends the watch and returns where a secret was seen.
func (w *watcher) places() []string {
	close(w.stop)
	w.done.Wait()
	return slices.Sorted(maps.Keys(w.seen))
}

// This tests the watcher itself.
func TestTracesAreSeen(t *testing.T) {
	folder := t.TempDir()
	for place, leave := range map[string]func(secret string) *exec.Cmd{
		"cmdline": func(secret string) *exec.Cmd {
			return exec.Command("sh", "-c", "echo; read -r go; true", secret)
		},
		"environ": func(secret string) *exec.Cmd {
			cmd := exec.Command("sh", "-c", "echo; read -r go; true")
			cmd.Env = append(os.Environ(), "TOKEN="+secret)
			return cmd
		},
		"left": func(secret string) *exec.Cmd {
			cmd := exec.Command("sh", "-c", "cat <&3 > left; echo; read -r go; rm left")
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = writer.WriteString(secret)
			_ = writer.Close()
			cmd.Dir, cmd.ExtraFiles = folder, []*os.File{reader}
			return cmd
		},
	} {
		secret := random()
		w := watch(folder, secret)
		cmd := leave(secret)
		stdin, inErr := cmd.StdinPipe()
		stdout, outErr := cmd.StdoutPipe()
		if err := errors.Join(inErr, outErr, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		_, _ = stdout.Read(make([]byte, 1)) // it is there now
		w.whole()
		_ = stdin.Close()
		_ = cmd.Wait()
		if places := w.places(); !slices.Equal(places, []string{place}) {
			t.Errorf("a secret left in %s was seen in %v", place, places)
		}
	}
}
