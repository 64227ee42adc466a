"""Labels by which what belongs to a lab is found again."""

LABEL = "mcastlab.lab"
FOLDER_LABEL = "mcastlab.folder"
BUNDLE_LABEL = "mcastlab.bundle"
SETTINGS_LABEL = "mcastlab.settings"
