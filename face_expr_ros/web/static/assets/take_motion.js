import{$ as e,D as t,c as n,l as r,on as i,vt as a}from"./index.js";var o={jawLeft:`jawRight`,jawRight:`jawLeft`,mouthLeft:`mouthRight`,mouthRight:`mouthLeft`},s=[`HeadYaw`,`HeadPitch`,`HeadRoll`,`LeftEyeYaw`,`LeftEyePitch`,`LeftEyeRoll`,`RightEyeYaw`,`RightEyePitch`,`RightEyeRoll`],c=60,l=e.degToRad(28),u=86400;function d(e,t){let n=e.map(t=>e.indexOf(o[t]??t));return[[`Timecode`,`BlendShapeCount`,...n.map(t=>e[t][0].toUpperCase()+e[t].slice(1)),...s].join(`,`),...t.map(({stamp:t,face:r})=>{let i=[...f(r),...p(e,r)],a=[...n.map(e=>r.blendshapes[e]),...i].map(e=>(e+0).toFixed(10));return[m(t),e.length+s.length,...a].join(`,`)})].join(`
`)+`
`}function f(e){let{x:n,y:i,z:a}=new t().setFromQuaternion(r(e),`YXZ`);return[i,-n,a]}function p(e,t){let n=n=>t.blendshapes[e.indexOf(n)]??0;return[`Left`,`Right`].flatMap(e=>{let t=n(`eyeLookIn${e}`)-n(`eyeLookOut${e}`),r=n(`eyeLookDown${e}`)-n(`eyeLookUp${e}`);return[l*(e===`Left`?t:-t),l*r,0]})}function m(e){let t=Math.floor(e%u*c*1e3),n=Math.floor(t/1e3),r=Math.floor(n/c),i=e=>String(e).padStart(2,`0`),a=String(t%1e3).padStart(3,`0`);return`${i(Math.floor(r/3600))}:${i(Math.floor(r/60)%60)}:${i(r%60)}:${i(n%c)}.${a}`}var h=60,g=15;function _(o){let s=o[0].stamp,c=o.at(-1).stamp-s,l=Math.max(1,Math.round(c*h)+1),u=n(o[0].face),d=new i,f=new a,p=new t,m=[];for(let t=0,i=1;t<l;t++){let a=s+t/h;for(;i<o.length-1&&o[i].stamp<a;)i++;let c=o[Math.max(0,i-1)],l=o[Math.min(i,o.length-1)],g=l.stamp-c.stamp,_=g>0?Math.min(1,Math.max(0,(a-c.stamp)/g)):0;n(c.face,d).lerp(n(l.face),_).sub(u).multiplyScalar(100),r(c.face,f).slerp(r(l.face),_),p.setFromQuaternion(f,`YXZ`);let v=[d.x,d.y,d.z,...[p.y,p.x,p.z].map(e.radToDeg)];m.push(v.map(e=>e.toFixed(5)).join(` `))}return`HIERARCHY
ROOT Head
{
\tOFFSET 0.0 0.0 0.0
\tCHANNELS 6 Xposition Yposition Zposition Yrotation Xrotation Zrotation
\tEnd Site
\t{
\t\tOFFSET 0.0 ${g.toFixed(1)} 0.0
\t}
}
MOTION
Frames: ${l}
Frame Time: ${(1/h).toFixed(8)}
${m.join(`
`)}
`}export{d as liveLinkCsv,_ as takeAsBvh};