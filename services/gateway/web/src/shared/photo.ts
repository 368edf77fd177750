/** Photos from the camera, made small enough for a slow network. */

const LONGEST = 1600
const SMALL_ENOUGH = 1_000_000

/** The picture as it is where it is small, else a JPEG of at most 1600 pixels a side. */
export async function smaller(file: Blob): Promise<Blob> {
  if (file.size <= SMALL_ENOUGH) return file
  const picture = await createImageBitmap(file)
  const scale = Math.min(1, LONGEST / Math.max(picture.width, picture.height))
  const canvas = new OffscreenCanvas(Math.round(picture.width * scale), Math.round(picture.height * scale))
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height)
  picture.close()
  return canvas.convertToBlob({ type: 'image/jpeg', quality: 0.82 })
}
