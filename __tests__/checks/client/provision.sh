#!/bin/sh
# Runs the command provision with the environment of check-client. Its arguments are the program and its first arguments.
if [ -n "${PROVISIONING_KEY:-}" ]; then set -- "$@" provision --key-env PROVISIONING_KEY
else set -- "$@" provision --client-id "$CLIENT_ID" --secret-env CLIENT_SECRET --subject "$SUBJECT" --scope "$SCOPE"
fi
exec "$@" --issuer "$ISSUER" --action "$ACTION" --state "$STATE" --deadline "$DEADLINE"
