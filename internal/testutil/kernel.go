package testutil

import "fmt"

// parseRelease reads the two numbers that a kernel release as "6.12.74+deb13-cloud-amd64" begins with.
func parseRelease(release string) (major, minor int, err error) {
	if n, err := fmt.Sscanf(release, "%d.%d", &major, &minor); n != 2 {
		return 0, 0, fmt.Errorf("testutil: kernel release %q: %w", release, err)
	}
	return major, minor, nil
}
