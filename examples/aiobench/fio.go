//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// fioName is what fio's libaio engine is called in reports.
const fioName = "fio"

// findFIO returns where fio is, if it is installed.
func findFIO(name string) (string, bool) {
	path, err := exec.LookPath(name)
	return path, err == nil
}

// fioReport is what we read of fio's JSON.
type fioReport struct {
	Jobs []struct {
		Error int `json:"error"`
		Read  struct {
			IOPS    float64 `json:"iops"`
			TotalIO int     `json:"total_ios"`
			Runtime float64 `json:"runtime"` // milliseconds
		} `json:"read"`
		UserCPU   float64 `json:"usr_cpu"` // per cent of one processor
		SystemCPU float64 `json:"sys_cpu"`
	} `json:"jobs"`
}

// runFIO has fio read the same blocks of the same file in the same way, for the same time but in whole seconds.
func (o *options) runFIO(ctx context.Context, j *readJob) (sample, error) {
	seconds := max(1, int(o.dur.Round(time.Second)/time.Second))
	out, err := exec.CommandContext(ctx, o.fio, "--name=reads", "--ioengine=libaio", "--rw=randread", "--direct=1",
		"--filename="+j.file.Name(), "--readonly", "--time_based", fmt.Sprintf("--runtime=%d", seconds),
		fmt.Sprintf("--bs=%d", j.block), fmt.Sprintf("--iodepth=%d", j.depth),
		"--norandommap", "--output-format=json").Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return sample{}, fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return sample{}, err
	}
	return parseFIO(out)
}

func parseFIO(out []byte) (sample, error) {
	var rep fioReport
	if err := json.Unmarshal(out, &rep); err != nil {
		return sample{}, fmt.Errorf("its report: %w", err)
	}
	if len(rep.Jobs) != 1 || rep.Jobs[0].Error != 0 || rep.Jobs[0].Read.TotalIO == 0 {
		return sample{}, errors.New("its report is not of one job that read")
	}
	job := rep.Jobs[0]
	cpuMicros := (job.UserCPU + job.SystemCPU) / 100 * job.Read.Runtime * 1e3
	return sample{iops: job.Read.IOPS, cpuMicros: cpuMicros / float64(job.Read.TotalIO)}, nil
}
