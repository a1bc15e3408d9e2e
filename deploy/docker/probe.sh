#!/bin/sh
# Asks the server of this container: probe.sh livez | readyz. It fails when the answer is not 200.
scheme=http
if [ -n "$DURAGRAPH_TLS_CERT" ]; then scheme=https; fi
# The certificate is for the name that clients use, which is not this address.
exec curl --fail --silent --show-error --insecure --max-time 3 --output /dev/null "$scheme://127.0.0.1:${PORT:-8080}/$1"
