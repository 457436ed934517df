// Command release makes the files of a release: the function's zip, both templates
// and their checksums. The same function and templates give the same bytes.
// make release starts it.
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	version := flag.String("version", "", "the release's `version`, such as v0.1.0")
	bootstrap := flag.String("bootstrap", "", "the built function's `file`")
	folder := flag.String("to", "", "the `folder` for the files; it is emptied first")
	flag.Parse()
	if err := release(*version, *bootstrap, *folder, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// A version is part of a file's name and of the template.
var versions = regexp.MustCompile(`^v[0-9][0-9A-Za-z.-]*$`)

// release writes the files and lists their checksums.
func release(version, bootstrap, folder string, stdout io.Writer) error {
	if !versions.MatchString(version) {
		return fmt.Errorf("the version is %q: use make release VERSION=v0.1.0, or a commit with such a tag", version)
	}
	function, err := os.ReadFile(bootstrap)
	if err != nil {
		return err
	}
	code, err := zipped(function)
	if err != nil {
		return err
	}
	template, err := os.ReadFile("template.yaml")
	if err != nil {
		return err
	}
	name := "reltio-token-rotator-" + version + ".zip"
	packaged, err := withCode(string(template), name)
	if err != nil {
		return err
	}
	connection, err := os.ReadFile("connection.yaml")
	if err != nil {
		return err
	}
	files := []struct {
		name    string
		content []byte
	}{
		{name, code}, {"template.yaml", []byte(packaged)}, {"connection.yaml", connection},
	}

	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	for _, file := range files {
		if err := os.WriteFile(filepath.Join(folder, file.name), file.content, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(file.content), file.name)
	}
	if err := os.WriteFile(filepath.Join(folder, "SHA256SUMS"), []byte(sums.String()), 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s in %s:\n%s", version, folder, sums.String())
	return err
}

// zipped is a zip with the function alone, which every user may execute. Its time
// is the earliest that a zip can hold.
func zipped(function []byte) ([]byte, error) {
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	archive.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		return flate.NewWriter(w, flate.BestCompression)
	})
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	header.SetMode(0o755)
	file, err := archive.CreateHeader(header)
	if err != nil {
		return nil, err
	}
	if _, err := file.Write(function); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return buffer.Bytes(), nil
}

// codeParameters say where the zip is. Its name holds the version, so that an
// update of the stack brings the new function.
const codeParameters = `
Parameters:
  CodeBucket:
    Type: String
    Description: The S3 bucket, in the stack's region, that holds the function's zip.
  CodeKey:
    Type: String
    Default: %s
    Description: The key of the function's zip in CodeBucket.
`

// largestTemplate is how many bytes CloudFormation accepts in a request.
const largestTemplate = 51_200

// withCode returns the template with the function's code in a bucket of the user's.
func withCode(template, key string) (string, error) {
	for _, replace := range []struct{ old, new string }{
		{"\nParameters:\n", fmt.Sprintf(codeParameters, key)},
		{"\n      CodeUri: .\n", "\n      CodeUri: {Bucket: !Ref CodeBucket, Key: !Ref CodeKey}\n"},
	} {
		if strings.Count(template, replace.old) != 1 {
			return "", fmt.Errorf("template.yaml does not have the line %q once", strings.TrimSpace(replace.old))
		}
		template = strings.Replace(template, replace.old, replace.new, 1)
	}
	if len(template) > largestTemplate {
		return "", errors.New("the packaged template is too large for CloudFormation")
	}
	return template, nil
}
