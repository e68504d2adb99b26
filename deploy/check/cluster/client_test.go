package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

// A client is an administrator in one namespace, who keeps what the server warns of.
type client struct {
	t         *testing.T
	namespace string
	typed     kubernetes.Interface
	any       dynamic.Interface

	mu       sync.Mutex
	warnings []string
}

// newClient makes a namespace like that of the plain manifests: pods are admitted under the restricted level alone.
func newClient(t *testing.T) *client {
	t.Helper()
	c := &client{t: t}
	config := rest.CopyConfig(plane.config)
	config.WarningHandler = c
	var err error
	if c.typed, err = kubernetes.NewForConfig(config); err == nil {
		c.any, err = dynamic.NewForConfig(config)
	}
	if err != nil {
		t.Fatal(err)
	}
	var namespace corev1.Namespace
	if err := yaml.UnmarshalStrict([]byte(read(t, "../../kubernetes/namespace.yaml")), &namespace); err != nil {
		t.Fatal(err)
	}
	if level := namespace.Labels["pod-security.kubernetes.io/enforce"]; level != "restricted" {
		t.Fatalf("the namespace enforces %q", level)
	}
	namespace.Name, namespace.GenerateName = "", "curfew-"
	made, err := c.typed.CoreV1().Namespaces().Create(t.Context(), &namespace, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Fatal(err)
	}
	c.namespace = made.Name
	c.until("the namespace has its service account", func() bool {
		_, err := c.typed.CoreV1().ServiceAccounts(c.namespace).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	return c
}

// HandleWarningHeader keeps a warning of the server.
func (c *client) HandleWarningHeader(_ int, _, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.warnings = append(c.warnings, text)
}

// warned returns what the server has warned of since it was last called.
func (c *client) warned() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.warnings
	c.warnings = nil
	return list
}

// until waits until something is the case.
func (c *client) until(what string, is func() bool) {
	c.t.Helper()
	err := plane.await(what, func(context.Context) error {
		if !is() {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// objects returns the documents of a text.
func objects(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var list []*unstructured.Unstructured
	for part := range strings.SplitSeq("\n"+text, "\n---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(part), &o.Object); err != nil {
			t.Fatalf("%v\n%s", err, part)
		}
		if len(o.Object) > 0 {
			list = append(list, o)
		}
	}
	return list
}

// apply applies an object on the server, which refuses what it does not know.
func (c *client) apply(o *unstructured.Unstructured, dryRun ...string) error {
	c.t.Helper()
	groups, err := restmapper.GetAPIGroupResources(c.typed.Discovery())
	if err != nil {
		c.t.Fatal(err)
	}
	kind := o.GroupVersionKind()
	mapping, err := restmapper.NewDiscoveryRESTMapper(groups).RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	var in dynamic.ResourceInterface = c.any.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		in = c.any.Resource(mapping.Resource).Namespace(c.namespace)
	}
	text, err := json.Marshal(o)
	if err != nil {
		c.t.Fatal(err)
	}
	force := true
	_, err = in.Patch(c.t.Context(), o.GetName(), types.ApplyYAMLPatchType, text,
		metav1.PatchOptions{FieldManager: "test", FieldValidation: metav1.FieldValidationStrict, Force: &force, DryRun: dryRun})
	return err
}

// accepts checks that the server takes each object.
func (c *client) accepts(list []*unstructured.Unstructured, dryRun ...string) {
	c.t.Helper()
	for _, o := range list {
		if err := c.apply(o, dryRun...); err != nil {
			c.t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}
}

// warnsOfNothing checks that the server has not warned since it was last asked.
func (c *client) warnsOfNothing() {
	c.t.Helper()
	if warnings := c.warned(); len(warnings) > 0 {
		c.t.Errorf("the server warns: %q", warnings)
	}
}

// pods returns the daemon's pods.
func (c *client) pods() []corev1.Pod {
	c.t.Helper()
	list, err := c.typed.CoreV1().Pods(c.namespace).List(c.t.Context(), metav1.ListOptions{LabelSelector: daemonLabels})
	if err != nil {
		c.t.Fatal(err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return list.Items
}

const daemonLabels = "app.kubernetes.io/name=curfew,app.kubernetes.io/component=daemon"

// makesPods waits until the controllers have made the pods, which the restricted level then has admitted.
func (c *client) makesPods(n int) []corev1.Pod {
	c.t.Helper()
	var pods []corev1.Pod
	c.until(fmt.Sprintf("there are %d pods", n), func() bool { pods = c.pods(); return len(pods) == n })
	return pods
}

// secrets makes the secret that the values name.
func (c *client) secrets(keys map[string]string) {
	c.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "curfew"}, StringData: keys}
	if _, err := c.typed.CoreV1().Secrets(c.namespace).Create(c.t.Context(), secret, metav1.CreateOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
