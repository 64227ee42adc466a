"""Images of the user's onto the lab's nodes: `mcastlab load`.

`sources` finds an archive for what was named, `names` says what a pod calls the image, `node` puts it there.
"""
