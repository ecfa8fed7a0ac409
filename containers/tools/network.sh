# shellcheck shell=sh
# Sourced in build steps that reach out: takes the building machine's certificate bundle and index
# address from BuildKit secrets, if there are any.
if [ -s /run/secrets/ca_bundle ]; then
  export PIP_CERT=/run/secrets/ca_bundle SSL_CERT_FILE=/run/secrets/ca_bundle
fi
if [ -s /run/secrets/pip_index ]; then
  PIP_INDEX_URL=$(cat /run/secrets/pip_index)
  export PIP_INDEX_URL
fi
