import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { CompressionTypes } from 'kafkajs'
import { pino } from 'pino'
import { createKafka } from '../../../src/platform/kafka/connection.ts'
import { decompress, maxDecompressedBytes } from '../../../src/platform/kafka/decompress.ts'
import { lz4Decompress } from '../../../src/platform/kafka/lz4.ts'
import type { Compression } from '../../../src/platform/kafka/records.ts'
import { snappyDecompress } from '../../../src/platform/kafka/snappy.ts'
import { startKafka, type TestKafka } from '../../support/kafka-broker.ts'
import { makeTopic } from '../../support/make-topic.ts'

let broker: TestKafka
before(async () => {
  broker = await startKafka()
})
after(() => broker.stop())

const text = Array.from({ length: 400 }, (_, index) => `message ${(index * 7919) % 1009} of a bell, `).join('')
const codecs = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

/** Written by Kafka's own Java client. */
const written: Record<keyof typeof codecs, string> = {
  lz4: 'BCJNGGBAgi8IAAD0Bm1lc3NhZ2UgMCBvZiBhIGJlbGwsIBUAPzg1NhcAAT83MDMXAAEvNTVFAAI/Mzk3LgABPzI0NBcAAS85MRYAAh80RAACLzc5RAACLzY0RQACPzQ4OFwAAT8zMzUXAAE/MTgyFwABLzI5FgABLzg4RAACLzczRAACLzU3RQACLzQybgECLzI3bgECLzEybgECLzk3RQACLzgyRQACLzY3RQACLzUxbwECLzM2bwECLzIxbwECHzVuAQIvOTFEAAIvNzZEAAIvNjBFAAIvNDVvAQIvMzBvAQIvMTRvAQI/MTAwRgACLzg1RgACLzY5RgACLzU0cAECLzM5cAECLzI0cAECHzhvAQIvOTREAAIvNzlEAAIvNjNFAAIvNDhwAQIvMzNwAQIvMTdwAQIfMikBAx84RAACLzcyRAACLzU3RQACLzQybgECLzI2bgECLzExbgECLzk3RQACLzgxRQACLzY2RQACLzUxbwECLzM2bwECLzIwbwECHzVuAQIvOTFEAAIvNzVEAAIvNjBFAAIvNDVvAQIvMjlvAQIvMTRvAQI/MTAwRgACLzg0RgACLzY5RgACLzU0cAECLzM4cAECLzIzcAECHzhvAQIvOTNEAAIvNzhEAAIvNjNFAAIvNDhwAQIvMzJwAQIvMTdwAQIfMikBAx83RAACLzcyRAACLzU3RQACLzQxbgECLzI2bgECLzExbgECLzk2RQACLzgxRQACLzY2RQACLzUwbwECHzP5BwMfMvkHBA9uAQIvOTCzAQIvNzWzAQIvNjBFAAIfNPkHAx8y+QcDHzH5BwMfOYIIAx84gggDHzaDCAMvNTNvAQIfM/oHAx8y+gcDD/kHAx85gggDHzeCCAMfNoMIAx80+QcDHzP5BwMfMfkHAw/4BwMfOIIIAx83gggDLzU2IgMCHzT5BwMfMvkHAx8x+QcDHzmCCAMfOIIIAx82gwgDHzX4BwMfM/gHAx8x+AcDD/cHAx85gggDHzeCCAMvNTkiAwIfNPgHAx8y+AcDHzH4BwMfOYEIAx84gQgDHzaCCAMvNTPWBAIfM/kHAx8y+QcDD/gHAx85gQgDHzeBCAMfNoIIAx80+AcDHzP4BwMfMfgHAw/3BwMfOIEIAx83gQgDLzU21QQCHzT4BwMfMvgHAx8x+AcDHzmBCAMfOIEIAx82gggDHzX3BwMfM/cHAx8x9wcDD/YHAx84gQgDHzeBCAMvNTmIBgIfNPcHAx8y9wcDHzH3BwMfOYAIAx84gAgDHzaBCAMvNTOJBgIfM/gHAx8y+AcDD/cHAx85gAgDHzeACAMfNoEIAx809wcDHzP3BwMfMfcHAw/1BwIfOH8IAx83fwgDLzU1RQACHzT2BwMfMvYHAx8x9gcDHzl/CAMfOH8IAx82eBADHzT2BwMfM/YHAx8x9gcDD/UHAx84fwgDHzd/CAMfNXgQAx809gcDHzL2BwMfMfYHAx85fwgDHzh/CAMfNoAIAx81eRADHzP3BwMfMvcHAw/2BwMfOX8IAx83fwgDHzaACAMfNPYHAx8z9gcDHzH2BwQPuBECD34IAx83fggDHzV3EAMfNPUHAx8y9QcDD/QHAx85fQgDHzd9CAMfNn4IAx809AcDHzP0BwMfMfQHAw/zBwMfOH0IAx83fQgDLzU4OAgCHzT0BwMfMvQHAx8x9AcDHzl9CAMfOH0IAx82fggDHzV2EAMfM/UHAx8y9QcDD/QHAx85fQgDHzd9CAMvNjE5CAMP9AcDHzP0BwMfMfQHAw97DgIfOHwIAx83fAgDHzV0EAMfM/MHAx8y8wcDD/IHAx85ewgDHzd7CAMfNnwIAx808gcDHzPyBwMfMfIHAw/xBwMfOHsIAx83ewgDHzVyEAMfNPIHAx8y8gcDHzHyBwMfOXsIAx84ewgDHzZ8CAMfNXMQAx8z9AcDHzL0BwQP8wcCHzl7CAMfN3sIAx82chADHzTzBwMfM/MHAx8x8wcDLzEwfggDHzh+CAMfN34IAx81dBADHzP1BwMfMvUHAw/0BwMfOX0IAx83fQgDHzZ+CAMfNPQHAx8z9AcDHzH0BwMP8wcDHzh9CAMfN30IAx81cxADHzT0BwMfMvQHAx8x9AcDHzl9CAMfOH0IBA9+CAMfNXQQAx8z9gcDHzL2BwUPOggBHzl9CAMfN30IAx82cxADHzT2BwMfMvYHAx8x9gcDLzEwgAgDHziACAMfNoEIAx81dRADHzP4BwMfMvgHAw/3BwMfOYAIAx83gAgDHzaBCAMfNPcHAx8z9wcDHzH3BwMP9gcDHziACAMfN4AIAx81dBADHzT3BwMfMvcHAx8x9wcDHzmACAMfOIAIBA+BCAMfNXUQAx8z+QcDHzL5BwQPPQgCHzmACAMfN4AIAx82dBADHzT5BwMfMvkHAx8x+QcDHzmCCAMfOIIIAx82gwgDHzV1EAMfM/oHAx8y+gcDD/kHAx85gggDHzeCCAMfNoMIAx80+QcDHzP5BwMfMfkHAw/4BwMfOIIIAx83gggDHzV0EAMfNPkHAx8y+QcDHzH5BwMfOYIIAx84gggDHzZ2EAMfNfgHAx8z+AcDHzL4BwMP9wcDHzmCCAMfN4IIAx81dRADHzT4BwMfMvgHAx8x+AcDHzmBCAMfOIEIAx82gggDHzV2EAMfM/kHAx8y+QcDD/gHAx85gQgDHzeBCAMfNoIIAx80+AcDHzP4BwMfMfgHAw/3BwMfOIEIAx83gQgDHzV1EAMfNPgHAx8y+AcDHzH4BwMfOYEIAx84gQgDHzaCCAMVNfcHUGVsbCwgAAAAAA==',
  snappy:
    'glNOQVBQWQAAAAABAAAAAQAACBbJR1BtZXNzYWdlIDAgb2YgYSBiZWxsLCARFQg4NTZOFwAINzAzThcABDU1UkUACDM5N04uAAgyNDROFwAEOTFSFgAANFJEAAQ3OVJEAAQ2NFJFAAg0ODhOXAAIMzM1ThcACDE4Mk4XAAQyOU4WAAQ4OFJEAAQ3M1JEAAQ1N1JFAAQ0MlJuAQQyN1JuAQQxMlJuAQQ5N1JFAAQ4MlJFAAQ2N1JFAAQ1MVJvAQQzNlJvAQQyMVJvAQA1Um4BBDkxUkQABDc2UkQABDYwUkUABDQ1Um8BBDMwUm8BBDE0Um8BCDEwMFJGAAQ4NVJGAAQ2OVJGAAQ1NFJwAQQzOVJwAQQyNFJwAQA4Um8BBDk0UkQABDc5UkQABDYzUkUABDQ4UnABBDMzUnABBDE3UnABADJWKQEAOFJEAAQ3MlJEAAQ1N1JFAAQ0MlJuAQQyNlJuAQQxMVJuAQQ5N1JFAAQ4MVJFAAQ2NlJFAAQ1MVJvAQQzNlJvAQQyMFJvAQA1Um4BBDkxUkQABDc1UkQABDYwUkUABDQ1Um8BBDI5Um8BBDE0Um8BCDEwMFJGAAQ4NFJGAAQ2OVJGAAQ1NFJwAQQzOFJwAQQyM1JwAQA4Um8BBDkzUkQABDc4UkQABDYzUkUABDQ4UnABBDMyUnABBDE3UnABADJWKQEAN1JEAAQ3MlJEAAQ1N1JFAAQ0MVJuAQQyNlJuAQQxMVJuAQQ5NlJFAAQ4MVJFAAQ2NlJFAAQ1MFJvAQAzVvkHADJa+QdSbgEEOTBSswEENzVSswEENjBSRQAANFb5BwAyVvkHADFW+QcAOVaCCAA4VoIIADZWgwgENTNSbwEAM1b6BwAyVvoHVvkHADlWgggAN1aCCAA2VoMIADRW+QcAM1b5BwAxVvkHVvgHADhWgggAN1aCCAQ1NlIiAwA0VvkHADJW+QcAMVb5BwA5VoIIADhWgggANlaDCAA1VvgHADNW+AcAMVb4B1b3BwA5VoIIADdWgggENTlSIgMANFb4BwAyVvgHADFW+AcAOVaBCAA4VoEIADZWgggENTNS1gQAM1b5BwAyVvkHVvgHADlWgQgAN1aBCAA2VoIIADRW+AcAM1b4BwAxVvgHVvcHADhWgQgAN1aBCAQ1NlLVBAA0VvgHADJW+AcAMVb4BwA5VoEIADhWgQgANlaCCAA1VvcHADNW9wcAMVb3B1b2BwA4VoEIADdWgQgENTlSiAYANFb3BwAyVvcHADFW9wcAOVaACAA4VoAIADZWgQgENTNSiQYAM1b4BwAyVvgHVvcHADlWgAgAN1aACAA2VoEIADRW9wcAM1b3BwAxVvcHUvUHADhWfwgAN1Z/CAQ1NVJFAAA0VvYHADJW9gcAMVb2BwA5Vn8IADhWfwgANlaACAA0VvYHADNW9gcAMVb2B1b1BwA4Vn8IADdWfwgANVZ4EAA0VvYHADJW9gcAMVb2BwA5Vn8IADhWfwgANlaACAA1VnkQADNW9wcAMlb3B1b2BwA5Vn8IADdWfwgANlaACAA0VvYHADNW9gcAMVr2B1K4EVZ+CAA3Vn4IADVWdxAANFb1BwAyVvUHVvQHADlWfQgAN1Z9CAA2Vn4IADRW9AcAM1b0BwAxVvQHVvMHADhWfQgAN1Z9CAA1VnUQADRW9AcAMlb0BwAxVvQHADlWfQgAOFZ9CAA2Vn4IADVWdhAAM1b1BwAyVvUHVvQHADlWfQgAN1Z9CAA2Vn4IADRW9AcEMzBSWwsAMVb0B1J7DgA4VnwIADdWfAgANVZ0EAAzVvMHADJW8wdW8gcAOVZ7CAA3VnsIADZWfAgANFbyBwAzVvIHADFW8gdW8QcAOFZ7CAA3VnsIADVWchAANFbyBwAyVvIHADFW8gcAOVZ7CAA4VnsIADZWfAgANVZzEAAzVvQHADJa9AdS8wcAOVZ7CAA3VnsIADZWchAANFbzBwAzVvMHADFW8wcEMTBWfggAOFZ+CAA3Vn4IADVWdBAAM1b1BwAyVvUHVvQHADlWfQgAN1Z9CAA2Vn4IADRW9AcAM1b0BwAxVvQHVvMHADhWfQgAN1Z9CAA1VnMQADRW9AcAMlb0BwAxVvQHADlWfQgAOFp9CFZ+CAA1VnQQADNW9gcAMl72B046CAA5Vn0IADdWfQgANlZzEAA0VvYHADJW9gcAMVb2BwQxMFaACAA4VoAIADZWgQgANVZ1EAAzVvgHADJW+AdW9wcAOVaACAA3VoAIADZWgQgANFb3BwAzVvcHADFW9wdW9gcAOFaACAA3VoAIADVWdBAANFb3BwAyVvcHADFW9wcAOVaACAA4WoAIVoEIADVWdRAAM1b5BwAyWvkHUj0IADlWgAgAN1aACAA2VnQQADRW+QcAMlb5BwAxVvkHADlWgggAOFaCCAA2VoMIADVWdRAAM1b6BwAyVvoHVvkHADlWgggAN1aCCAA2VoMIADRW+QcAM1b5BwAxVvkHVvgHADhWgggAN1aCCAA1VnQQADRW+QcAMlb5BwAxVvkHADlWgggAOFaCCAA2VoMIADVW+AcAM1b4BwAyVvgHVvcHADlWgggAN1aCCAA1VnUQADRW+AcAMlb4BwAxVvgHADlWgQgAOFaBCAA2VoIIADVWdhAAM1b5BwAyVvkHVvgHADlWgQgAN1aBCAA2VoIIADRW+AcAM1b4BwAxVvgHVvcHADhWgQgAN1aBCAA1VnUQADRW+AcAMlb4BwAxVvgHADlWgQgEODBSYxoANlZ3EDg1MDIgb2YgYSBiZWxsLCA=',
  zstd: 'KLUv/QBYTBcA5iFEFJAphQOwXDIr5W5n2bIiZQM/ZMb0RgA9ADkAljYOJ8M9fhgfe+kMg07FsJaDSExdCsqsWmL8ITSHBN25M48YdZuhKLzN62T4G9oNlk4BwMBgQKAQUCBAKAyFgYKAhISBgx6N4sdmlbmCg6yW4bEPFalm5FJlRJlhO2g5NgwnMv4+ixl74QyDSs1D5SCuB91DDLKpIteEL10iWE9YExN+rNYofqwyV7AejeIH69EofqwyV7AejTJX8K01ih8bVpkr+Hq0VuYKTurRKH6Mq8wVfH2tlbmClgaVuYL1aBQ/VpkrWD9WmStYj0bxY5W5guLHKvNgPRrFj1VmkILixyrzYD0axY/VM0ij+LHKXMF6NEqBkKhxvOf9N1GGQkgwAZ4PEZwQnBCccvwBaz1g7D+T4UHhhikPOoPxYF1ZebDt777wIE2bPNhu2LkDvBBxj8n9k/nPhpBCcPc4uuF8KR5g3gE2iOBj0htWy8MDt/kO0CACH1P5B+mfCSGDYPg4e8OYVXigO6hlBxoQgY+JN8yE7Q5QZjtAgAh8TNkfdH8OhACC4ePsDSPvAKICcfspRh0w7E+wA/yHyA+2fsSoAyL9VT9CqAOy/uDBHfysjPsRAg+I9wfmAQpEBBC+H0jgAcn+uh8k8IB2f8j14Ech2fxRtwdv+UfywRiEVhDJv+D24AP/y19wDxBBNM0/dVIQPSv59Qch0AaR1D/Yv7YIEQ+Ckf6EQhZCuOSP1D/jIyUhHPcXwYQ49Ze8f1IIlRDW/iT/M1aIKCEM9icoZCmERX/l/TMfKQvhkH8SXIhzf6H8J0PQhXDxL/VfY4aIC8GIf0Ih9RE74xLH/wBZCNbd7zjP5/35hSxW0vcaInt3l0OHJWRud3KwRO2+Vo1M3h5ucmAnEnjxi/v9fL5vy2Jgva9GJN9uOdREwuJuZg+SaL3Pasjsxu64bHx1Z2QR2Gc9BHOPifDgLrx2237ZbdeervOFTpl2igBTBQEAAA==',
  gzip: 'H4sIAAAAAAAA/3XaMY4cRwxA0avMARw0WUWy6jgysHYiQYHuD0iBEwOv0w6IBXem3xdXP75+/fr279fn+fz85/Pt8/fX9+9/fX789/BU6/E8S4+rOGTd0ePcW49v8OnmjLmc0ZtD9jn8+VbpcZzkj325qMMZszijhkN2cts53HYkt32HQ05ySA+HVHDdq7nuDK67uO0bnDHNGf1wyC6uez1cd2yuO56HU05xSl9Oqc19r8t95/b3jOu+mzPmckYvDtmH+16L+47hvtOLOpwxyRk1HLLTX7P27yy47TsccoJDujmkgutezXXnw3XXy0uNM6Y4ox8O2cV15+W6Y/ut9jyccjan9OWU2tz3Otx3Lr+SuO67OGMOZ/TikH0sUXLfMS+vNX9VLVFyRo0lCn/N2r+z4LZvc8gJDuk2RQ/XvQx/vsBviR7HQ1mih0O24U/DH4b/ukCOC6SdILVcD5Y/Lb/hvy6QcYG0E2Qb/mX4w/Db/eMCGRdItSEy/Gn4w/BfF8hxgbQTpOz+svth983+dYGMC6Quh2y7n3Y/7P51gBwHSLtAajkeDH8afrt/HSDjAGkXyLb7y+6H3Tf7xwEyDpBqO2T30+6H3b8OkOMAaRdImf1l9sPsW/3jABkHSF0O2WY/zX6Y/ev+OO6PdoDUcjvY/bT7Zv+6P8b90Q6QbfaX2Q+z7z05P8b5UeX3otVPqx9W/zo/jvOj3R/b6i+rH1bf6B/nxzg/yneHbfXT6ofVv86P4/xo90f58LDMfpp9q3+dH+P8aPfHtvrL6seL+v7IWyHXR/nssI1+Gn2bfx0f4/ho18e2+cvmh803+cfxMY6P8tFh2/y0+WHzr+PjOD7a9VG+Oiyjn0bf5l/Hxzg+2vWxbf6y+WHzvSe3x7g9yjeHZfLT5Fv86/QYp0e7PbbFXxY/LL7BP06PcXqULw7b4qfFD4t/nR7H6dFuj/LJYdn8fDHfbzSnxzg92heHbfKXyQ+T/ycnHA6uj3F9lG8Oy+in0bf51/Exjo92fWybv2x+2HyTfxwf4/gonxy2zc+Xk4PNv46P8xIfro/yzWFZ/XxT3x96l4Pjo31y2FY/rX5Y/T8fev+7zP3RDpDy0WHZ/bT7Zv+6P8b90Q6QbfaX2Q+zb/WP+2PcH+Wbwzb7+XJzMPvX/XFe+sMBUj46LMOfL/BbIvfHuD/aN4dt+NPwh+G/LpDjAmknSPnosCx/Wn7Df10g4wJpJ8g2/Mvwh+G3+8cFMi6Q8s1hG/40/GH4rwvkuEDaCVJ2f9n9fPlbgyFygYwLpHx02HY/7X7Y/esAOQ6QdoGUrw7r5X87GH67f1/+5uEAaRfItvvL7ofdN/vHATIOkPLRYdv9tPth968D5DhA2gVS/2f/N9JBR/7JIwAA',
}

for (const [name, code] of Object.entries(codecs)) {
  const bytes = Buffer.from(written[name as keyof typeof codecs], 'base64')

  test(`${name}, as Java writes it, is read`, async () => {
    assert.equal(String(await decompress(code, bytes)), text)
  })

  test(`${name} that is cut off or garbled throws, and gives no wrong bytes in silence`, async () => {
    for (let length = 0; length < bytes.length - 16; length += 13) {
      const cut = await decompress(code, bytes.subarray(0, length)).catch((error: Error) => error)
      if (Buffer.isBuffer(cut)) assert.ok(text.startsWith(String(cut)), `${length} bytes`)
    }
    for (let at = 0; at < bytes.length; at += 3) {
      const garbled = Buffer.from(bytes)
      garbled[at] = garbled[at]! ^ 0xff
      await decompress(code, garbled).catch((error: Error) => error) // whatever it is, it ends
    }
  })
}

/** The longest run of one byte that a block of lz4 can say in a few bytes more. */
function lz4Bomb(): Buffer {
  const run = Buffer.alloc(maxDecompressedBytes / 255 + 10, 255)
  const block = Buffer.concat([Buffer.from([0x1f, 0x61, 1, 0]), run, Buffer.from([0, 0x10, 0x61])])
  const size = Buffer.alloc(4)
  size.writeUInt32LE(block.length)
  return Buffer.concat([Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73]), size, block, Buffer.alloc(4)])
}

function snappyBomb(): Buffer {
  const head = Buffer.from([0x80, 0x80, 0x80, 0x80, 0x01, 0x00, 0x61])
  return Buffer.concat([
    head,
    ...Array.from({ length: maxDecompressedBytes / 64 + 1 }, () => Buffer.from([0xfe, 1, 0])),
  ])
}

for (const [name, code, bomb] of [
  ['gzip', 1, gzipSync(Buffer.alloc(maxDecompressedBytes + 1))],
  ['snappy', 2, snappyBomb()],
  ['lz4', 3, lz4Bomb()],
  ['zstd', 4, zstdCompressSync(Buffer.alloc(maxDecompressedBytes + 1))],
] as const) {
  test(`a bomb of ${name} is refused`, async () => {
    await assert.rejects(decompress(code, bomb), RangeError)
  })
}

test('garbage is a RangeError, however it is cut', () => {
  const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0xc0, 0x0a, 0, 0, 0])
  for (let round = 0; round < 2_000; round++) {
    const noise = randomBytes(1 + (round % 64))
    for (const read of [
      () => lz4Decompress(Buffer.concat([head, noise]), 1_000_000),
      () => snappyDecompress(noise, 1_000_000),
    ]) {
      try {
        read()
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error))
      }
    }
  }
})

/** What compresses well, what does not, repetitions near and far, and more than a block of 64 KiB. */
const values = [
  '{"channel":"email","attempt":1}',
  'a'.repeat(100_000),
  randomBytes(90_000).toString('base64'),
  `${'far '.repeat(20_000)}${randomBytes(40_000).toString('hex')}${'far '.repeat(20_000)}`,
  'grüß 🔔',
  '',
]

/** The broker writes a batch anew when its topic has another compression than the batch: these bytes are Java's. */
const ways: [string, Compression, number][] = [
  ['producer', 'none', CompressionTypes.None],
  ['producer', 'gzip', CompressionTypes.GZIP],
  ['producer', 'zstd', CompressionTypes.ZSTD],
  ['gzip', 'none', CompressionTypes.None],
  ['zstd', 'gzip', CompressionTypes.GZIP],
  ['lz4', 'none', CompressionTypes.None],
  ['snappy', 'zstd', CompressionTypes.ZSTD],
]
for (const [kept, sent, type] of ways) {
  test(`sent as ${sent}, kept as ${kept === 'producer' ? 'sent' : kept}: read as it was written`, async () => {
    const logger = pino({ level: 'silent' })
    const kafka = createKafka({ brokers: broker.brokers, clientId: 'codecs', ssl: false, compression: sent, logger })
    const topic = `codecs-${randomUUID()}`
    const admin = kafka.admin()
    await admin.connect()
    const configEntries = [{ name: 'compression.type', value: kept }]
    await makeTopic(admin, { topic, numPartitions: 1, configEntries })
    await admin.disconnect()
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const messages = values.map((value) => ({ key: 'k', value, headers: { ce_type: 'ünïcode' } }))
    await producer.send({ topic, compression: type, messages })
    await producer.disconnect()

    const received: string[] = []
    const all = Promise.withResolvers<void>()
    const consumer = kafka.consumer({ groupId: topic })
    consumer.on(consumer.events.CRASH, ({ payload }) => all.reject(payload.error))
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message }) => {
        assert.equal(String(message.headers?.ce_type), 'ünïcode')
        if (received.push(String(message.value)) === values.length) all.resolve()
      },
    })
    await all.promise
    await consumer.disconnect()
    assert.deepEqual(received, values)
  })
}
