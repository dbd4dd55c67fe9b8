#!/bin/sh
# Stands in for the app: knows nothing but its environment.
#
# It shows how long a secret is and a short fingerprint of it, never the value: a
# log is no place for a secret. (A real app shows neither: a fingerprint lets a
# reader test guesses.)

echo "SHOP_REGION: $SHOP_REGION"
for name in PARTNER_API_KEY SIGNING_KEY ARCHIVE_KEY; do
    value=
    eval "value=\${$name?}"
    printf '%s: %s characters, fingerprint %s\n' "$name" "${#value}" \
        "$(printf %s "$value" | sha256sum | cut -c1-12)"
done

trap 'exit 0' TERM INT
# Waiting for a background job, because a shell handles a signal only after the
# command in the foreground has ended.
while :; do
    sleep 3600 &
    wait $!
done
