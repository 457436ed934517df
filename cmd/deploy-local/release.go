package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"reltio-token-rotator/tests/harness/cfn"
)

// release packages the function twice, each time built anew, as whoever keeps
// releases in a bucket does. The same sources must make the same zip, to the
// byte: that is how anybody can tell what a deployed function was built from.
func (w *harness) release(ctx context.Context) error {
	const bucket = "releases"
	if _, err := w.command().Run(ctx, "aws", "s3", "mb", "s3://"+bucket); err != nil {
		return err
	}
	again := filepath.Join(w.work, "build-again")
	if _, err := w.command().Run(ctx, "sam", "build", "--build-dir", again); err != nil {
		return err
	}
	var hashes [][sha256.Size]byte
	for i, built := range []string{w.built(), again} {
		packaged := filepath.Join(w.work, fmt.Sprintf("packaged-%d.yaml", i))
		if _, err := w.command().Run(ctx, "sam", "package", "--template-file", filepath.Join(built, "template.yaml"),
			"--s3-bucket", bucket, "--s3-prefix", fmt.Sprint(i), "--output-template-file", packaged); err != nil {
			return err
		}
		content, err := w.packaged(ctx, packaged)
		if err != nil {
			return err
		}
		if err := onlyBootstrap(content); err != nil {
			return err
		}
		hashes = append(hashes, sha256.Sum256(content))
	}
	if hashes[0] != hashes[1] {
		return fmt.Errorf("two builds of the same sources made different zips: %x and %x", hashes[0], hashes[1])
	}
	w.console.Say("sam package", "two builds, one zip: sha256 %x…", hashes[0][:8])
	return nil
}

// packaged returns the zip that a packaged template names.
func (w *harness) packaged(ctx context.Context, file string) ([]byte, error) {
	template, err := cfn.Load(file)
	if err != nil {
		return nil, err
	}
	function, _ := template["Resources"].(cfn.Object)["RotateFunction"].(cfn.Object)
	properties, _ := function["Properties"].(cfn.Object)
	from, _ := properties["CodeUri"].(string)
	if !strings.HasPrefix(from, "s3://") {
		return nil, fmt.Errorf("%s: the function's code is at %q", filepath.Base(file), from)
	}
	to := file + ".zip"
	if _, err := w.command().Run(ctx, "aws", "s3", "cp", from, to); err != nil {
		return nil, err
	}
	return os.ReadFile(to)
}

// onlyBootstrap reports whether a zip holds what Lambda starts, and nothing that
// happened to lie in the folder.
func onlyBootstrap(content []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	if len(archive.File) != 1 || archive.File[0].Name != "bootstrap" {
		return errors.New("the package holds more, or something else, than bootstrap")
	}
	if mode := archive.File[0].Mode(); mode&0o111 != 0o111 {
		return fmt.Errorf("bootstrap cannot be executed: mode %v", mode)
	}
	return nil
}
