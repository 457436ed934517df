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

// release builds and packages the function twice. Both zips must be equal, byte for
// byte, so that anyone can compare a deployed function with its sources.
func (h *harness) release(ctx context.Context) error {
	const bucket = "releases"
	if _, err := h.command().Run(ctx, "aws", "s3", "mb", "s3://"+bucket); err != nil {
		return err
	}
	again := filepath.Join(h.work, "build-again")
	if _, err := h.command().Run(ctx, "sam", "build", "--build-dir", again); err != nil {
		return err
	}
	var hashes [][sha256.Size]byte
	for i, built := range []string{h.built(), again} {
		packaged := filepath.Join(h.work, fmt.Sprintf("packaged-%d.yaml", i))
		if _, err := h.command().Run(ctx, "sam", "package", "--template-file", filepath.Join(built, "template.yaml"),
			"--s3-bucket", bucket, "--s3-prefix", fmt.Sprint(i), "--output-template-file", packaged); err != nil {
			return err
		}
		content, err := h.packaged(ctx, packaged)
		if err != nil {
			return err
		}
		if err := onlyBootstrap(content); err != nil {
			return err
		}
		hashes = append(hashes, sha256.Sum256(content))
	}
	if hashes[0] != hashes[1] {
		return fmt.Errorf("two builds of the same sources produced different zips: %x and %x", hashes[0], hashes[1])
	}
	h.console.Say("sam package", "two builds, one zip: sha256 %x…", hashes[0][:8])
	return nil
}

// packaged returns the zip that a packaged template names.
func (h *harness) packaged(ctx context.Context, file string) ([]byte, error) {
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
	if _, err := h.command().Run(ctx, "aws", "s3", "cp", from, to); err != nil {
		return nil, err
	}
	return os.ReadFile(to)
}

// onlyBootstrap returns an error unless a zip holds the executable bootstrap and
// nothing else.
func onlyBootstrap(content []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return err
	}
	if len(archive.File) != 1 || archive.File[0].Name != "bootstrap" {
		return errors.New("the package holds something other than bootstrap")
	}
	if mode := archive.File[0].Mode(); mode&0o111 != 0o111 {
		return fmt.Errorf("bootstrap is not executable: mode %v", mode)
	}
	return nil
}
