"""What persons outside are told: by text message, e-mail or WeChat. See decision 13."""
