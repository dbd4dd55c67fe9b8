{{/*
What the values say for one agent, as YAML. Takes what every template of this chart takes: the
context of the including chart, or a dict with `context` and the name of one of `agents`.
*/}}
{{- define "akv-agent.settings" -}}
{{- $context := . -}}
{{- $agent := "" -}}
{{- if hasKey . "context" -}}
  {{- $context = .context -}}
  {{- $agent = .agent | default "" -}}
{{- end -}}
{{- $values := get $context.Values "akv-agent" | default dict -}}
{{- if not (hasKey $values "checkKubeVersion") -}}{{- fail "akv-agent: there are no defaults under the key akv-agent: the dependency must have no alias" -}}{{- end -}}
{{- $settings := omit (deepCopy $values) "agents" "global" -}}
{{- $name := printf "%s-akv-agent" ($context.Release.Name | trunc 53 | trimSuffix "-") -}}
{{- if $agent -}}
  {{- $own := get $values.agents $agent -}}
  {{- if not $own -}}{{- fail (printf "akv-agent: there is no %q under agents" $agent) -}}{{- end -}}
  {{- /* Variables of one app are no business of another. */ -}}
  {{- range $key := list "config" "configMap" "secretProviderClass" -}}
    {{- if hasKey $own $key -}}{{- $_ := set $settings $key (deepCopy (get $own $key)) -}}{{- end -}}
  {{- end -}}
  {{- if hasKey $own "config" -}}{{- $_ := set $settings "configMap" "" -}}{{- end -}}
  {{- $settings = mergeOverwrite $settings (deepCopy (omit $own "config" "configMap" "secretProviderClass")) -}}
  {{- $name = printf "%s-%s" $name $agent -}}
{{- end -}}
{{- $class := $settings.secretProviderClass | default dict -}}
{{- $made := not (and (empty $class.objects) (empty $class.parameters)) -}}
{{- $_ := set $settings "name" $name -}}
{{- $_ := set $settings "makesConfigMap" (empty $settings.configMap) -}}
{{- $_ := set $settings "configMap" ($settings.configMap | default $name) -}}
{{- $_ := set $settings "makesClass" $made -}}
{{- $_ := set $settings "class" ($made | ternary $name ($class.name | default "")) -}}
{{- include "akv-agent.check" (dict "context" $context "settings" $settings) -}}
{{- toYaml $settings -}}
{{- end -}}

{{/*
Refuses what no schema can: what does not fit together, or not the cluster.
*/}}
{{- define "akv-agent.check" -}}
{{- $settings := .settings -}}
{{- $class := $settings.secretProviderClass | default dict -}}
{{- if and $settings.makesClass $class.name -}}
  {{- fail (printf "akv-agent: secretProviderClass has the name %q of one that exists, and objects or parameters of a new one: leave one of them out" $class.name) -}}
{{- end -}}
{{- if and $settings.makesClass (not $class.objects) -}}
  {{- fail "akv-agent: secretProviderClass.objects is empty: name the secrets that the volume is to hold" -}}
{{- end -}}
{{- if $settings.makesClass -}}
  {{- range $key := list "keyvaultName" "tenantID" -}}
    {{- if not (get $class.parameters $key) -}}{{- fail (printf "akv-agent: secretProviderClass.parameters.%s is missing" $key) -}}{{- end -}}
  {{- end -}}
  {{- $modes := list -}}
  {{- range $key := list "clientID" "useVMManagedIdentity" "usePodIdentity" -}}
    {{- if not (has (get $class.parameters $key | toString) (list "" "false")) -}}{{- $modes = append $modes $key -}}{{- end -}}
  {{- end -}}
  {{- if ne (len $modes) 1 -}}
    {{- fail (printf "akv-agent: secretProviderClass.parameters must say by one of clientID, useVMManagedIdentity and usePodIdentity who asks the vault; there is %s" ($modes | join " and " | default "none of them")) -}}
  {{- end -}}
{{- end -}}
{{- if and $settings.makesConfigMap (not $settings.config) -}}
  {{- fail "akv-agent: config is empty: write the agent's configuration there, or name a ConfigMap that exists in configMap" -}}
{{- end -}}
{{- if and $settings.fileKeyRef (eq $settings.use "exec") -}}
  {{- fail "akv-agent: fileKeyRef is not for exec, which puts the variables into the app's environment itself" -}}
{{- end -}}
{{- if and $settings.fileKeyRef (not ($settings.config | default dict).env) -}}
  {{- fail "akv-agent: fileKeyRef needs the names of the variables in config.env" -}}
{{- end -}}
{{- /* What a ConfigMap that exists says is not known here. */ -}}
{{- if and $settings.fileKeyRef $settings.makesConfigMap $settings.config.outputs -}}
  {{- $outputs := kindIs "map" $settings.config.outputs | ternary (list $settings.config.outputs) $settings.config.outputs -}}
  {{- $read := false -}}
  {{- range $outputs -}}
    {{- if and (eq (.envFile | default "") "/run/akv-agent/app.env") (eq (.format | default "") "kubelet") -}}{{- $read = true -}}{{- end -}}
  {{- end -}}
  {{- if not $read -}}
    {{- fail "akv-agent: fileKeyRef reads /run/akv-agent/app.env in the format kubelet, and config.outputs has no such file: add {envFile: /run/akv-agent/app.env, format: kubelet}, or leave config.outputs out" -}}
  {{- end -}}
{{- end -}}
{{- /* Helm reads a bare `off` as false. */ -}}
{{- if and (has $settings.use (list "sidecar" "native-sidecar" "exit-restart")) (has (get ($settings.config | default dict) "listen") (list "off" false)) -}}
  {{- fail (printf "akv-agent: config.listen is off, and the probes of %s ask there: leave it out, or give it an address" $settings.use) -}}
{{- end -}}
{{- if and $settings.env (eq $settings.use "exec") -}}
  {{- fail "akv-agent: env is not for exec: the agent has the variables of the app's container" -}}
{{- end -}}
{{- if $settings.checkKubeVersion -}}
  {{- $needed := dict "native-sidecar" "1.29" "exit-restart" "1.36" -}}
  {{- $instead := dict "native-sidecar" "sidecar, or for a Job init or exec" "exit-restart" "native-sidecar or exec" -}}
  {{- include "akv-agent.check.version" (dict "context" .context "what" (printf "use %s" $settings.use) "needed" (get $needed $settings.use) "instead" (get $instead $settings.use)) -}}
  {{- if $settings.fileKeyRef -}}
    {{- include "akv-agent.check.version" (dict "context" .context "what" "fileKeyRef" "needed" "1.35" "instead" "a mount (akv-agent.volumeMounts)") -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "akv-agent.check.version" -}}
{{- if .needed -}}
  {{- $version := .context.Capabilities.KubeVersion.Version -}}
  {{- if not (semverCompare (printf ">=%s.0-0" .needed) $version) -}}
    {{- fail (printf "akv-agent: %s needs Kubernetes %s and this is %s: take %s, or set checkKubeVersion to false where the feature is switched on by a gate" .what .needed $version .instead) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{- define "akv-agent.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag }}
{{- end -}}
{{- end -}}
