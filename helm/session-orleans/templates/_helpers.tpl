{{/* Names are cut to leave room for the suffixes; a Job's pods add more. */}}
{{- define "session.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "session.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "session.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "session.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* What selectors use: never changes in a release's life. */}}
{{- define "session.selectorLabels" -}}
app.kubernetes.io/name: {{ include "session.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "session.labels" -}}
{{ include "session.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: session-orleans
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The component whose pods have the clients' ports. */}}
{{- define "session.clientComponent" -}}
{{- if eq .Values.topology "split" }}gateway{{ else }}silo{{ end }}
{{- end }}

{{- define "session.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "session.redisImage" -}}
{{- with .Values.redis.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end }}
{{- end }}

{{- define "session.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "session.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "session.ports" -}}
{{- max (int .Values.nodes.ports) (int .Values.nodes.count) }}
{{- end }}

{{/* Address that the nodes advertise. */}}
{{- define "session.publicAddress" -}}
{{- if .Values.service.publicAddress -}}
{{ .Values.service.publicAddress }}
{{- else if eq .Values.service.type "ClusterIP" -}}
{{ include "session.fullname" . }}-nodes.{{ .Release.Namespace }}.svc
{{- else -}}
{{ fail (printf "service.publicAddress must be the address clients outside use for service.type %s" .Values.service.type) }}
{{- end }}
{{- end }}

{{- define "session.seedUrl" -}}
https://{{ include "session.fullname" . }}:22000
{{- end }}

{{- define "session.gracePeriod" -}}
{{- add (int .Values.shutdown.drainDelaySeconds) (int .Values.shutdown.timeoutSeconds) 10 }}
{{- end }}

{{- define "session.secretName" -}}
{{- .Values.secrets.existingSecret | default (include "session.fullname" .) }}
{{- end }}

{{- define "session.tlsSecretName" -}}
{{- .Values.tls.existingSecret | default (printf "%s-tls" (include "session.fullname" .)) }}
{{- end }}

{{/*
Values that are made once and kept: given ones win, then those that the cluster has, then random ones. They are computed once per rendering, so that
all templates see the same; the result is in .Values._made.
*/}}
{{- define "session.make" -}}
{{- if not (hasKey .Values "_made") }}
{{- $name := include "session.fullname" . }}
{{- $old := (lookup "v1" "Secret" .Release.Namespace $name).data | default dict }}
{{- $made := dict }}
{{- if not .Values.secrets.existingSecret }}
{{- $_ := set $made "network-secret" (.Values.secrets.networkSecret | default (get $old "network-secret" | b64dec) | default (randAlphaNum 48)) }}
{{- $_ := set $made "admin-token" (.Values.secrets.adminToken | default (get $old "admin-token" | b64dec) | default (randAlphaNum 48)) }}
{{- end }}
{{- if .Values.redis.enabled }}
{{- if not .Values.redis.auth.existingSecret }}
{{- $_ := set $made "redis-password" (.Values.redis.auth.password | default (get $old "redis-password" | b64dec) | default (randAlphaNum 48)) }}
{{- end }}
{{- else if not .Values.redis.external.existingSecret }}
{{- $_ := set $made "redis-connection" (required "redis.external.connectionString or redis.external.existingSecret is needed when redis.enabled is false" .Values.redis.external.connectionString) }}
{{- end }}
{{- $_ := set .Values "_made" $made }}
{{- end }}
{{- end }}

{{/* The self-signed certificate, computed once like the secrets; made anew when its names change. In .Values._certificate. */}}
{{- define "session.makeCertificate" -}}
{{- if not (hasKey .Values "_certificate") }}
{{- $name := include "session.fullname" . }}
{{- $names := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) (printf "%s.%s.svc.cluster.local" $name .Release.Namespace) }}
{{- range list "" (printf ".%s" .Release.Namespace) (printf ".%s.svc" .Release.Namespace) }}
{{- $names = append $names (printf "%s-nodes%s" $name .) }}
{{- end }}
{{- $names = append $names "localhost" }}
{{- $addresses := list "127.0.0.1" }}
{{- range prepend .Values.tls.hosts (.Values.service.publicAddress | default "localhost") }}
{{- if regexMatch "^[0-9.]+$" . }}
{{- $addresses = append $addresses . }}
{{- else }}
{{- $names = append $names . }}
{{- end }}
{{- end }}
{{- $names = uniq $names }}
{{- $addresses = uniq $addresses }}
{{- $hosts := join "," (concat $names $addresses) | sha256sum | trunc 16 }}
{{- $old := lookup "v1" "Secret" .Release.Namespace (printf "%s-tls" $name) | default dict }}
{{- $oldHosts := dig "metadata" "annotations" "session-orleans/hosts" "" $old }}
{{- if and $old.data (eq $oldHosts $hosts) }}
{{- $_ := set .Values "_certificate" (dict "hosts" $hosts "crt" (get $old.data "tls.crt") "key" (get $old.data "tls.key")) }}
{{- else }}
{{- $new := genSelfSignedCert $name $addresses $names 3650 }}
{{- $_ := set .Values "_certificate" (dict "hosts" $hosts "crt" ($new.Cert | b64enc) "key" ($new.Key | b64enc)) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Changes whenever what pods read at their start changes. */}}
{{- define "session.configChecksum" -}}
{{- include "session.settings" . | sha256sum }}
{{- end }}

{{- define "session.secretChecksum" -}}
{{- include "session.make" . }}
{{- $parts := list .Values._made }}
{{- range list .Values.secrets.existingSecret .Values.redis.auth.existingSecret .Values.redis.external.existingSecret .Values.tls.existingSecret }}
{{- if . }}
{{- $parts = append $parts (lookup "v1" "Secret" $.Release.Namespace .).data }}
{{- end }}
{{- end }}
{{- if not .Values.tls.existingSecret }}
{{- include "session.makeCertificate" . }}
{{- $parts = append $parts .Values._certificate.hosts }}
{{- end }}
{{- $parts | toJson | sha256sum }}
{{- end }}

{{/* Options of the process; all but the secrets and what differs from pod to pod. */}}
{{- define "session.settings" -}}
{{- $name := include "session.fullname" . }}
{{- $public := include "session.publicAddress" . }}
{{- $outside := ne .Values.service.type "ClusterIP" }}
{{- $nodePort := eq .Values.service.type "NodePort" }}
{{- $relay := list }}
{{- range $server := list (dict "on" .Values.files.enabled "port" 22002 "outside" .Values.service.nodePorts.files) (dict "on" .Values.communities.enabled "port" 22003 "outside" .Values.service.nodePorts.communities) }}
{{- if $server.on }}
{{- range list $name (printf "%s.%s" $name $.Release.Namespace) (printf "%s.%s.svc" $name $.Release.Namespace) (printf "%s.%s.svc.cluster.local" $name $.Release.Namespace) (printf "%s-nodes.%s.svc" $name $.Release.Namespace) }}
{{- $relay = append $relay (printf "%s:%d" . (int $server.port)) }}
{{- end }}
{{- $relay = append $relay (printf "%s:%d" $public (int (ternary $server.outside $server.port $nodePort))) }}
{{- end }}
{{- end }}
{{- $gateway := dict
  "Bind" "0.0.0.0" "SeedPort" 22000 "AdminPort" 22001 "FilePort" 22002
  "NodePortBase" 22100 "NodePorts" (int (include "session.ports" .)) "OmqEnabled" .Values.nodes.omq
  "CertificateFile" "/etc/session-tls/tls.crt" "KeyFile" "/etc/session-tls/tls.key" }}
{{- /* Not left out: the process has a default, and null means none. */}}
{{- $_ := set $gateway "CommunityPort" (ternary 22003 nil .Values.communities.enabled) }}
{{- $settings := dict
  "Network" (dict
    "Nodes" (int .Values.nodes.count) "SwarmSize" (int .Values.nodes.swarmSize) "BlockTime" .Values.nodes.blockTime "ChainSpeed" (int .Values.nodes.chainSpeed)
    "ReplicaDrift" .Values.nodes.replicaDrift "PublicIp" $public "NodePortBase" (int (ternary .Values.service.nodePorts.nodeBase 22100 $nodePort)))
  "Gateway" $gateway
  "Files" (dict "Enabled" .Values.files.enabled)
  "Communities" (dict "Rooms" .Values.communities.rooms)
  "ServerRelay" (dict "AllowedHosts" (concat $relay .Values.relayHosts | uniq))
  "Silo" (dict
    "ClusterId" .Release.Name "Port" 22010 "DrainDelay" (include "session.timeSpan" .Values.shutdown.drainDelaySeconds)
    "ShutdownTimeout" (include "session.timeSpan" .Values.shutdown.timeoutSeconds)) }}
{{- mustMergeOverwrite $settings (deepCopy .Values.config) | toPrettyJson }}
{{- end }}

{{/* Seconds as the process reads them, hh:mm:ss. */}}
{{- define "session.timeSpan" -}}
{{- $seconds := int . -}}
{{- printf "%02d:%02d:%02d" (div $seconds 3600) (mod (div $seconds 60) 60) (mod $seconds 60) }}
{{- end }}

{{/* What the "restricted" Pod Security standard asks of pods and containers. */}}
{{- define "session.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . | int64 }}
runAsGroup: {{ . | int64 }}
fsGroup: {{ . | int64 }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "session.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Head of the pods that run the image. Service links are off: they would set SESSION_* variables, which are options. */}}
{{- define "session.podHead" -}}
serviceAccountName: {{ include "session.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "session.podSecurity" .Values.runAsUser | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "session.spread" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "session.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{/* Environment with the store's connection string. */}}
{{- define "session.redisEnv" -}}
{{- if .Values.redis.enabled }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.auth.existingSecret | default (include "session.fullname" .) }}
      key: {{ ternary .Values.redis.auth.existingSecretKey "redis-password" (ne .Values.redis.auth.existingSecret "") }}
- name: SESSION_Silo__Redis
  value: {{ include "session.fullname" . }}-redis:6379,password=$(REDIS_PASSWORD)
{{- else }}
- name: SESSION_Silo__Redis
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.external.existingSecret | default (include "session.fullname" .) }}
      key: {{ ternary .Values.redis.external.existingSecretKey "redis-connection" (ne .Values.redis.external.existingSecret "") }}
{{- end }}
{{- end }}
