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

	appsv1 "k8s.io/api/apps/v1"
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

// manifest returns the objects of a plain manifest, and the deployment among them.
func manifest(t *testing.T, kind string) (all []*unstructured.Unstructured, deployment *unstructured.Unstructured) {
	t.Helper()
	all = objects(t, read(t, "../../kubernetes/"+kind+".yaml"))
	i := slices.IndexFunc(all, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Deployment" })
	if i < 0 {
		t.Fatalf("%s.yaml has no deployment", kind)
	}
	return all, all[i]
}

// podOf returns a pod of a deployment.
func podOf(t *testing.T, deployment *unstructured.Unstructured) *corev1.Pod {
	t.Helper()
	var d appsv1.Deployment
	text, err := json.Marshal(deployment)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{ObjectMeta: d.Spec.Template.ObjectMeta, Spec: d.Spec.Template.Spec}
	pod.GenerateName = d.Name + "-"
	return pod
}

// run makes a pod, as a controller does.
func (c *client) run(pod *corev1.Pod) (*corev1.Pod, error) {
	c.t.Helper()
	return c.typed.CoreV1().Pods(c.namespace).Create(c.t.Context(), pod, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict})
}

// install applies all objects of a manifest.
func (c *client) install(list []*unstructured.Unstructured) {
	c.t.Helper()
	for _, o := range list {
		if err := c.apply(o); err != nil {
			c.t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
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
