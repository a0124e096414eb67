package servers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Check returns nil when servers can run on this machine: there is a JDK that
// is new enough, and Maven or both releases' jars. Otherwise the error wraps
// [ErrMissing] and says what to install.
func Check(ctx context.Context) error {
	_, err := findJava(ctx)
	return errors.Join(err, checkMaven())
}

// checkMaven lets a machine without Maven pass that has the jars.
func checkMaven() error {
	root, err := Root()
	if err != nil {
		return err
	}
	for _, r := range []release{cassandraRelease, kafkaRelease} {
		if ok, err := r.installed(root); err != nil {
			return err
		} else if !ok {
			_, err := findMaven()
			return err
		}
	}
	return nil
}

// Install makes sure that servers can run on this machine: it installs the JDK
// and Maven by the system's package manager where they are missing and this
// process is root's, and the jars of both releases. Package managers and
// progress write to output. What it cannot install the error says.
func Install(ctx context.Context, output io.Writer) error {
	if err := Check(ctx); errors.Is(err, ErrMissing) {
		if err := installPackages(ctx, output, err); err != nil {
			return err
		}
		if err := Check(ctx); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	root, err := Root()
	if err != nil {
		return err
	}
	for _, r := range []release{cassandraRelease, kafkaRelease} {
		ok, err := r.installed(root)
		if err != nil {
			return err
		}
		if ok {
			continue
		}
		if _, err := fmt.Fprintf(output, "installing %s to %s\n", r.name, root); err != nil {
			return fmt.Errorf("servers: install %s: %w", r.name, err)
		}
		if _, err := r.jars(ctx); err != nil {
			return err
		}
	}
	return nil
}

// installPackages installs what missing is about, or returns missing where it
// may not.
func installPackages(ctx context.Context, output io.Writer, missing error) error {
	if os.Geteuid() != 0 {
		return missing
	}
	run := func(command ...string) error {
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = output, output
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("servers: %s: %w", cmd, err)
		}
		return nil
	}
	// Old systems have 17, new ones 21.
	switch {
	case inPath("apt-get"):
		err := run("apt-get", "update")
		for _, java := range []string{"openjdk-17-jdk-headless", "openjdk-21-jdk-headless"} {
			installed := run("apt-get", "install", "--yes", "--no-install-recommends", java, "maven")
			if installed == nil {
				return nil
			}
			err = errors.Join(err, installed)
		}
		return errors.Join(missing, err)
	case inPath("dnf"):
		var err error
		for _, java := range []string{"java-17-openjdk-headless", "java-21-openjdk-headless"} {
			installed := run("dnf", "install", "--assumeyes", java, "maven")
			if installed == nil {
				return nil
			}
			err = errors.Join(err, installed)
		}
		return errors.Join(missing, err)
	default:
		return missing
	}
}

func inPath(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}
