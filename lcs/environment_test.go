package lcs_test

import (
	"testing"

	"curfew/lcs"
)

func TestConditionOfAnEnvironment(t *testing.T) {
	yes, no := true, false
	tests := []struct {
		name string
		env  lcs.Environment
		want lcs.Condition
	}{
		{"running", lcs.Environment{Infrastructure: "CustomerManaged", DeploymentState: "Finished", CanStart: &no, CanStop: &yes}, lcs.Running},
		{"stopped", lcs.Environment{Infrastructure: "CustomerManaged", DeploymentState: "Stopped", CanStart: &yes, CanStop: &no}, lcs.Stopped},
		{"starting", lcs.Environment{DeploymentState: "Starting", CanStart: &no, CanStop: &no}, lcs.Starting},
		{"stopping", lcs.Environment{DeploymentState: "Stopping", CanStart: &no, CanStop: &no}, lcs.Stopping},
		{"servicing", lcs.Environment{DeploymentState: "Servicing", CanStart: &no, CanStop: &no}, lcs.Busy},
		{"servicing although a button shows", lcs.Environment{DeploymentState: "Servicing", CanStop: &yes}, lcs.Busy},
		{"failed last operation, but running", lcs.Environment{DeploymentState: "Finished", DeploymentStatusDisplay: "Failed", CanStart: &no, CanStop: &yes}, lcs.Running},
		{"self-service", lcs.Environment{Infrastructure: "SelfService", DeploymentState: "Finished", CanStart: &no, CanStop: &no}, lcs.Unsupported},
		{"finished without flags", lcs.Environment{DeploymentState: "Finished"}, lcs.Running},
		{"stopped without flags", lcs.Environment{DeploymentState: "Stopped"}, lcs.Stopped},
		{"finished and nothing can be done", lcs.Environment{DeploymentState: "Finished", CanStart: &no, CanStop: &no}, lcs.Unknown},
		{"both can be done", lcs.Environment{DeploymentState: "Finished", CanStart: &yes, CanStop: &yes}, lcs.Unknown},
		{"deallocated is not stopped: it comes before deletion", lcs.Environment{DeploymentState: "Deallocated"}, lcs.Unknown},
		{"a state of tomorrow", lcs.Environment{DeploymentState: "Teleporting", CanStart: &no, CanStop: &no}, lcs.Unknown},
		{"nothing at all", lcs.Environment{}, lcs.Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.env.Condition(); got != tt.want {
				t.Errorf("Condition(%+v) = %s, want %s", tt.env, got, tt.want)
			}
		})
	}
}
