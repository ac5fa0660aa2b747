"""Pro Santé Connect (OpenID Connect): who somebody is, in a browser or by their e-CPS phone."""
