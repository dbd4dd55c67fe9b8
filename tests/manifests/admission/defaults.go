package main

import (
	registration "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// setDefaults does what an API server does to policies before it stores them.
func setDefaults(object runtime.Object) {
	switch policy := object.(type) {
	case *registration.MutatingAdmissionPolicy:
		matchEverywhere(policy.Spec.MatchConstraints)
	case *registration.ValidatingAdmissionPolicy:
		matchEverywhere(policy.Spec.MatchConstraints)
	case *registration.MutatingAdmissionPolicyBinding:
		matchEverywhere(policy.Spec.MatchResources)
	case *registration.ValidatingAdmissionPolicyBinding:
		matchEverywhere(policy.Spec.MatchResources)
	}
}

func matchEverywhere(match *registration.MatchResources) {
	if match == nil {
		return
	}
	if match.MatchPolicy == nil {
		equivalent := registration.Equivalent
		match.MatchPolicy = &equivalent
	}
	if match.NamespaceSelector == nil {
		match.NamespaceSelector = &metav1.LabelSelector{}
	}
	if match.ObjectSelector == nil {
		match.ObjectSelector = &metav1.LabelSelector{}
	}
	for i := range match.ResourceRules {
		if rule := &match.ResourceRules[i]; rule.Scope == nil {
			all := registration.AllScopes
			rule.Scope = &all
		}
	}
}
