package scratch
import ("testing";"fmt";"time";"math/rand";"unsafe";"math"
 "github.com/ladon-ml/ladon/internal/asm/avx512";"github.com/ladon-ml/ladon/internal/asm/avx2")
func al(n int) []float32 { b:=make([]float32,n+16); o:=int((64-uintptr(unsafe.Pointer(&b[0]))%64)%64/4); b=b[o:o+n]; for i:=range b {b[i]=rand.Float32()-.5}; return b }
func best(f func()) float64 { f(); m:=math.Inf(1); t0:=time.Now(); for time.Since(t0)<400*time.Millisecond { t:=time.Now(); f(); if d:=time.Since(t).Seconds(); d<m {m=d}}; return m}
func TestPeak(t *testing.T) {
 p512:=func() float64 { return 20000*48*32/best(func(){avx512.BurnFMA(20000)})/1e9}
 p256:=func() float64 { return 20000*24*16/best(func(){avx2.BurnFMA(20000)})/1e9}
 i512:=func() float64 { return 20000*48*128/best(func(){avx512.BurnInt8(20000)})/1e9}
 fmt.Println("peak512",p512(),"peak256",p256(),"int8",i512())
 for _,k := range []int{64,384,768,1024,1536} {
  for _,pad := range []int{0,16} {
  lda:=(k+pad)*4
  a,b,c:=al(14*10*(k+pad)),al(32*k*4),al(140*32)
  d:=best(func(){ for i:=0;i<10;i++ { avx512.Gemm14x32(k,&a[i*14*(k+pad)],lda,&b[0],64*k,&c[i*14*32],128,64,0,nil)}})
  fmt.Printf("k %d pad %d: 14x32 %.1f GF", k,pad,float64(10*2*14*32*k)/d/1e9)
  d=best(func(){ for i:=0;i<10;i++ { avx512.Gemm12x32(k,&a[i*12*(k+pad)],lda,&b[0],64*k,&c[i*14*32],128,64,0,nil)}})
  fmt.Printf(" 12x32 %.1f ", float64(10*2*12*32*k)/d/1e9)
  d=best(func(){ for i:=0;i<10;i++ { avx512.Gemm6x64(k,&a[i*12*(k+pad)],lda,&b[0],64*k,&c[i*6*64],256,64,0,nil)}})
  fmt.Printf(" 6x64 %.1f ", float64(10*2*6*64*k)/d/1e9)
  d=best(func(){ for i:=0;i<10;i++ { avx512.Gemm8x32(k,&a[i*12*(k+pad)],lda,&b[0],64*k,&c[i*8*32],128,64,0,nil)}})
  fmt.Printf(" 8x32 %.1f ", float64(10*2*8*32*k)/d/1e9)
  d=best(func(){ for i:=0;i<10;i++ { avx2.Gemm6x16(k,&a[i*6*(k+pad)],lda,&b[0],64*k,&c[i*6*16],64,64,0,nil)}})
  fmt.Printf(" avx2 6x16 %.1f ", float64(10*2*6*16*k)/d/1e9)
  bb:=unsafe.Pointer(&b[0]); aa:=unsafe.Pointer(&a[0]); rs:=al(64); comp:=make([]int32,64)
  d=best(func(){ for i:=0;i<10;i++ { avx512.GemmInt814x32(k/4,(*uint8)(unsafe.Add(aa,i*14*k)),k,(*int8)(bb),16*k,&c[i*14*32],128,64,&rs[0],&rs[0],&comp[0],nil)}})
  fmt.Printf(" int8 14x32 %.1f ", float64(10*2*14*32*k)/d/1e9)
  d=best(func(){ for i:=0;i<10;i++ { avx2.GemmInt84x16(k/4,(*int16)(aa),2*k,(*int8)(bb),16*k,&c[i*14*32],128,64,&rs[0],&rs[0],&comp[0],nil)}})
  fmt.Printf(" avx2 int8 4x16 %.1f\n", float64(10*2*4*16*k)/d/1e9)
 }}
 fmt.Println("peak512",p512(),"peak256",p256(),"int8",i512())
}
