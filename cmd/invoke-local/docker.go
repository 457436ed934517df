package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"reltio-token-rotator/tests/harness/machine"
)

// dockerHost is the name of this machine in a container.
const dockerHost = "host.docker.internal"

// baseImage is the image that sam local uses for provided.al2023 on x86_64.
const baseImage = "public.ecr.aws/lambda/provided:al2023-x86_64"

const howToDocker = "needs Docker: start an engine that this user may use (Docker Desktop, or systemctl start docker), " +
	"or, as root on Debian, apt-get install docker.io busybox-static"

// engine is a Docker engine to work with.
type engine struct {
	env         []string // environment variables for its clients
	listenOn    string   // the address of this machine that containers reach
	invokeFlags []string // for sam local invoke
	stop        func()
}

// findEngine returns the engine that responds. If none does, or own is true, it
// starts one for this run.
func findEngine(ctx context.Context, console *machine.Console, own bool, project, work string) (engine, error) {
	e := engine{stop: func() {}, listenOn: "127.0.0.1"}
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		e.env = []string{"DOCKER_HOST=" + host}
	}
	docker := func() machine.Command {
		return machine.Command{Env: machine.Environment(project, "", e.env...)}
	}
	responds := func(ctx context.Context) bool {
		_, err := docker().Run(ctx, "docker", "version")
		return err == nil
	}
	if _, err := exec.LookPath("docker"); err != nil {
		return e, errors.New(howToDocker)
	}
	if !own && responds(ctx) {
		// What the engine has is not asked for again: it may reach no registry.
		if _, err := docker().Run(ctx, "docker", "image", "inspect", baseImage); err == nil {
			e.invokeFlags = append(e.invokeFlags, "--skip-pull-image")
			console.Say("Docker", "an engine responds, and it has the base image")
		} else {
			console.Say("Docker", "an engine responds; sam gets the base image from AWS's public registry\n(ENGINE=own needs no registry)")
		}
	} else {
		process, err := startEngine(ctx, &e, work, docker, responds)
		if err != nil {
			return e, err
		}
		e.stop = process.Stop
		if err := importBase(ctx, docker()); err != nil {
			e.stop()
			return e, err
		}
		e.invokeFlags = append(e.invokeFlags, "--skip-pull-image")
		console.Say("Docker", "started an engine for this run, with busybox as the base image")
	}
	// Containers of Docker Desktop reach this machine's loopback. Containers of an
	// engine on this machine reach only the address of its bridge.
	if bridge := bridgeAddress(ctx, docker()); bridge != "" {
		e.listenOn = bridge
		e.invokeFlags = append(e.invokeFlags, "--add-host", dockerHost+":"+bridge)
	}
	return e, nil
}

func startEngine(ctx context.Context, e *engine, work string, docker func() machine.Command, responds func(context.Context) bool) (*machine.Process, error) {
	_, err := exec.LookPath("dockerd")
	if _, busybox := os.Stat("/bin/busybox"); os.Geteuid() != 0 || err != nil || busybox != nil {
		return nil, errors.New(howToDocker)
	}
	dir := filepath.Join(work, "docker")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	socket := "unix://" + filepath.Join(dir, "socket")
	e.env = []string{"DOCKER_HOST=" + socket}
	process, err := docker().Start(
		filepath.Join(work, "dockerd.log"), "dockerd", "--data-root", filepath.Join(dir, "data"),
		"--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"), "-H", socket,
	)
	if err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := process.Until(waiting, responds); err != nil {
		process.Stop()
		return nil, err
	}
	return process, nil
}

// importBase imports static busybox under the name of the base image, so that no
// registry is needed. The function is static and needs nothing from the image.
func importBase(ctx context.Context, docker machine.Command) error {
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return err
	}
	var image bytes.Buffer
	w := tar.NewWriter(&image)
	write := func(header tar.Header, content []byte) {
		header.Size = int64(len(content))
		err = errors.Join(err, w.WriteHeader(&header))
		_, failed := w.Write(content)
		err = errors.Join(err, failed)
	}
	for _, dir := range []string{"bin/", "var/", "var/task/", "var/runtime/", "opt/"} {
		write(tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}, nil)
	}
	write(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil)
	write(tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, busybox)
	for _, name := range []string{"sh", "ls", "cat", "env", "mkdir"} {
		write(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox"}, nil)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	docker.Stdin = &image
	_, err = docker.Run(ctx, "docker", "import", "--change", "ENV PATH=/bin", "--change", "WORKDIR /var/task", "-", baseImage)
	return err
}

// bridgeAddress returns this machine's address on the engine's bridge, and "" if it
// has none.
func bridgeAddress(ctx context.Context, docker machine.Command) string {
	text, err := docker.Run(ctx, "docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
	if err != nil {
		return ""
	}
	subnet, err := netip.ParsePrefix(strings.TrimSpace(text))
	if err != nil {
		return ""
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, address := range addresses {
		if own, err := netip.ParsePrefix(address.String()); err == nil && subnet.Contains(own.Addr()) {
			return own.Addr().String()
		}
	}
	return ""
}
