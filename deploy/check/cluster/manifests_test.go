package cluster_test

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// kinds are the kinds of database, with a manifest for each.
var kinds = []string{"sqlite", "postgres"}

// violation is what the server says of pods that the restricted level does not admit.
const violation = "violate"

func TestPlainManifestsAreAcceptedStrictly(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			c := newClient(t)
			all, deployment := manifest(t, kind)
			c.install(objects(t, read(t, "../../kubernetes/namespace.yaml")))
			c.install(all)
			if warnings := c.warned(); len(warnings) > 0 {
				t.Errorf("the server warns: %q", warnings)
			}
			refusesMistakes(c, deployment)
		})
	}
}

func TestPodsAreAdmittedUnderTheRestrictedLevel(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			c := newClient(t)
			all, deployment := manifest(t, kind)
			c.install(all)
			if _, err := c.run(podOf(t, deployment)); err != nil {
				t.Error(err)
			}
			if warnings := c.warned(); len(warnings) > 0 {
				t.Errorf("the server warns: %q", warnings)
			}
			for name, change := range map[string]func(s *corev1.PodSpec){
				"it may run as root":         func(s *corev1.PodSpec) { s.SecurityContext.RunAsNonRoot = nil },
				"it runs as root":            func(s *corev1.PodSpec) { s.SecurityContext.RunAsUser = new(int64) },
				"it has no profile of calls": func(s *corev1.PodSpec) { s.SecurityContext.SeccompProfile = nil },
				"it keeps capabilities":      func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.Capabilities = nil },
				"it may gain privileges":     func(s *corev1.PodSpec) { s.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil },
			} {
				pod := podOf(t, deployment)
				change(&pod.Spec)
				if _, err := c.run(pod); err == nil || !strings.Contains(err.Error(), violation) {
					t.Errorf("%s, and it is admitted: %v", name, err)
				}
			}
		})
	}
}

// refusesMistakes shows that the server does not accept everything.
func refusesMistakes(c *client, deployment *unstructured.Unstructured) {
	c.t.Helper()
	for name, change := range map[string]func(o map[string]any) error{
		"a misspelt key":   func(o map[string]any) error { return unstructured.SetNestedField(o, int64(1), "spec", "replcias") },
		"a number as text": func(o map[string]any) error { return unstructured.SetNestedField(o, "one", "spec", "replicas") },
		"another selector": func(o map[string]any) error {
			return unstructured.SetNestedField(o, "x", "spec", "selector", "matchLabels", "a")
		},
		"a user below zero": func(o map[string]any) error {
			return unstructured.SetNestedField(o, int64(-5), "spec", "template", "spec", "securityContext", "runAsUser")
		},
	} {
		o := deployment.DeepCopy()
		o.SetName("mistaken")
		if err := change(o.Object); err != nil {
			c.t.Fatal(err)
		}
		if err := c.apply(o, metav1.DryRunAll); err == nil {
			c.t.Errorf("%s is accepted", name)
		}
	}
	c.warned()
	o := deployment.DeepCopy()
	unstructured.RemoveNestedField(o.Object, "spec", "template", "spec", "securityContext", "runAsNonRoot")
	if err := c.apply(o, metav1.DryRunAll); err != nil || !strings.Contains(fmt.Sprint(c.warned()), violation) {
		c.t.Errorf("without runAsNonRoot the server does not warn: %v", err)
	}
}
