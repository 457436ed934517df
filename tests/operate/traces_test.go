package operate_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// watch looks, again and again until the returned function is called, at the
// arguments and the environment of every process of this machine and at every
// file below a folder, and returns where it saw one of the secrets.
func watch(t *testing.T, folder string, secrets ...string) (found func() []string) {
	t.Helper()
	var (
		stop   = make(chan struct{})
		done   sync.WaitGroup
		seen   = map[string]bool{}
		rounds int
	)
	look := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			return // it has ended, or was removed
		}
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) {
				seen[path[strings.LastIndex(path, "/")+1:]] = true
			}
		}
	}
	round := func() {
		processes, err := filepath.Glob("/proc/[0-9]*")
		if err != nil || len(processes) == 0 {
			t.Error("this machine shows no processes")
		}
		for _, process := range processes {
			look(process + "/cmdline")
			look(process + "/environ")
		}
		_ = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				look(path)
			}
			return nil
		})
		rounds++
	}
	done.Go(func() {
		for {
			select {
			case <-stop:
				round() // what is left at the end
				return
			case <-time.After(time.Millisecond):
				round()
			}
		}
	})
	return func() []string {
		close(stop)
		done.Wait()
		t.Logf("looked %d times", rounds)
		var places []string
		for place := range seen {
			places = append(places, place)
		}
		slices.Sort(places)
		return places
	}
}

// The watcher itself must be able to see.
func TestTracesAreSeen(t *testing.T) {
	folder := t.TempDir()
	for _, test := range []struct {
		place string
		leave func(secret string) *exec.Cmd
	}{
		{"cmdline", func(secret string) *exec.Cmd {
			return exec.Command("sh", "-c", "sleep 0.3; true", secret)
		}},
		{"environ", func(secret string) *exec.Cmd {
			cmd := exec.Command("sleep", "0.3")
			cmd.Env = append(os.Environ(), "TOKEN="+secret)
			return cmd
		}},
		{"left", func(secret string) *exec.Cmd {
			cmd := exec.Command("sh", "-c", "cat > left; sleep 0.3; rm left")
			cmd.Dir, cmd.Stdin = folder, strings.NewReader(secret)
			return cmd
		}},
	} {
		secret := random()
		found := watch(t, folder, secret)
		if err := test.leave(secret).Run(); err != nil {
			t.Fatal(err)
		}
		if places := found(); !slices.Equal(places, []string{test.place}) {
			t.Errorf("a secret left in %s was seen in %v", test.place, places)
		}
	}
}
